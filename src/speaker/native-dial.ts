/**
 * Connections with the options that only the addon can set: TTL, and TCP MD5 signatures. Importing this file loads the
 * addon, so it is imported only where the addon may be missing without harm (`speaker-thread.ts`).
 */
import { connectTcp } from "../xdp/tcp-socket.ts";
import { explain, refuse, TcpTransport } from "./tcp-transport.ts";
import type { DialOptions, Transport, TransportListener } from "./transport.ts";

export function dialNative(options: DialOptions, listener: TransportListener): Transport {
  const { address, port, localAddress, ttl, password } = options;
  try {
    const socket = connectTcp({
      remoteAddress: address,
      remotePort: port,
      localAddress,
      ttl,
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
