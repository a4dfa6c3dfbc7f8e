/**
 * Connections with the options that only the addon can set: TTL, least TTL, and TCP MD5 signatures. Importing this file
 * loads the addon, so it is imported only where the addon may be missing without harm (`platform.ts`).
 */
import { setTcpHopLimit } from "../xdp/hop-limit.ts";
import { connectTcp, listenTcp, setMd5 } from "../xdp/tcp-socket.ts";
import {
  explain,
  explainListen,
  incomingOf,
  listening,
  plainAddress,
  refuse,
  scoped,
  TcpTransport,
} from "./tcp-transport.ts";
import type { DialOptions, Incoming, Listening, Transport, TransportListener } from "./transport.ts";

export function dialNative(options: DialOptions, listener: TransportListener): Transport {
  const { address, port, localAddress, ttl, minTtl, password, interfaceName } = options;
  try {
    const socket = connectTcp({
      remoteAddress: scoped({ address, interfaceName }),
      remotePort: port,
      localAddress,
      device: interfaceName,
      ttl,
      minTtl,
      md5Key: password,
      allowHalfOpen: true,
    });
    socket.setNoDelay(true);
    return new TcpTransport(socket, listener, options);
  } catch (error) {
    // What bind() and setsockopt() refuse is thrown at once; to a session it is a connection that failed.
    return refuse(listener, explain(error as NodeJS.ErrnoException, options));
  }
}

export async function listenNative(
  address: string,
  port: number,
  accept: (incoming: Incoming) => void,
): Promise<Listening> {
  const signed = new Set<string>();
  const listener = open();
  await listening(listener.server, port);
  return {
    setPassword: (peer, password) => {
      // A key for the other family has no place on this socket.
      if (peer.includes(":") !== address.includes(":")) return;
      if (password === null) signed.delete(peer);
      else signed.add(peer);
      setMd5(listener.fd, peer, password);
    },
    close: () => void listener.server.close(),
  };

  function open() {
    try {
      return listenTcp({ address, port, md5: [], allowHalfOpen: true }, (socket) => {
        socket.setNoDelay(true);
        const peer = plainAddress(socket.remoteAddress ?? "");
        const family = peer.includes(":") ? 6 : 4;
        accept(incomingOf(socket, signed.has(peer), ({ ttl, minTtl }) => setTcpHopLimit(socket, family, ttl, minTtl)));
      });
    } catch (error) {
      throw new Error(explainListen(error as NodeJS.ErrnoException, port), { cause: error });
    }
  }
}
