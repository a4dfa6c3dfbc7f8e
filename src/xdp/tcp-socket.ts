/**
 * TCP connections with the options that BGP needs and `node:net` does not offer: MD5 signatures (RFC 2385), a TTL, a
 * minimum TTL (RFC 5082, GTSM), a device. The sockets are ordinary `net.Socket`s and `net.Server`s otherwise.
 */
import { type AddressInfo, Server, Socket, type SocketConstructorOpts } from "node:net";
import { native } from "./native.ts";

export interface TcpOptions {
  /** `null` leaves it to the kernel. */
  readonly localAddress?: string | null;
  readonly localPort?: number;
  /** Interface or VRF that the connection is bound to. */
  readonly device?: string | null;
  /** TTL or hop limit of what we send. */
  readonly ttl?: number | null;
  /** What arrives with less is dropped by the kernel: 255 for GTSM. */
  readonly minTtl?: number | null;
}

export interface ConnectOptions extends TcpOptions {
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** At most 80 octets. */
  readonly md5Key?: string | null;
  readonly allowHalfOpen?: boolean;
}

export interface ListenOptions extends TcpOptions {
  /** `::` listens for IPv6 only. */
  readonly address: string;
  readonly port: number;
  readonly md5: readonly { readonly peer: string; readonly key: string }[];
  readonly allowHalfOpen?: boolean;
}

/**
 * Opens a connection: emits `connect`, or `error` and `close`, as `net.connect` does. A wrong MD5 key shows as
 * ETIMEDOUT: the peer's kernel drops the segments without an answer.
 */
export function connectTcp(options: ConnectOptions): Socket {
  const any = options.remoteAddress.includes(":") ? "::" : "0.0.0.0";
  const fd = makeSocket(options.localAddress ?? any, options.localPort ?? 0, options);
  const socket = wrap(fd, () => {
    if (options.md5Key) setMd5(fd, options.remoteAddress.split("%")[0]!, options.md5Key);
    // `manualStart` keeps Node from reading before there is a connection.
    const settings: SocketConstructorOpts & { manualStart: boolean } = {
      fd,
      readable: true,
      writable: true,
      allowHalfOpen: options.allowHalfOpen ?? false,
      manualStart: true,
    };
    return new Socket(settings);
  });
  return socket.connect({ host: options.remoteAddress, port: options.remotePort });
}

/** A server that listens; `fd` is for `setMd5` when peers come and go. Throws when the port is taken. */
export function listenTcp(
  options: ListenOptions,
  onConnection: (socket: Socket) => void,
): { server: Server; fd: number } {
  const fd = makeSocket(options.address, options.port, options);
  const server = wrap(fd, () => {
    for (const { peer, key } of options.md5) setMd5(fd, peer, key);
    return new Server({ allowHalfOpen: options.allowHalfOpen ?? false }, onConnection).listen({ fd });
  });
  return { server, fd };
}

/** The port that a server of port 0 got. */
export function listeningPort(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Signs segments to and from `peer`, and takes no others; `null` takes the key away. Works on a listening socket. */
export function setMd5(fd: number, peer: string, key: string | null): void {
  native.tcpSetMd5(fd, peer, new TextEncoder().encode(key ?? ""));
}

function makeSocket(address: string, port: number, { device, ttl, minTtl }: TcpOptions): number {
  return native.tcpSocket(address, port, device ?? "", ttl ?? 0, minTtl ?? 0);
}

/** Node owns the descriptor from the moment it took it; until then it is ours to close. */
function wrap<T>(fd: number, take: () => T): T {
  try {
    return take();
  } catch (error) {
    native.closeFd(fd);
    throw error;
  }
}
