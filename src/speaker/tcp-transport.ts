/**
 * Transport over TCP. What went wrong is said in words that name the likely cause.
 *
 * `dialTcp` and `listenTcp` use `node:net` alone: they cannot set a TTL, and refuse a password rather than do without it.
 */
import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { DialOptions, Incoming, Listening, Transport, TransportListener } from "./transport.ts";

/** How long a peer may take to close its side after we closed ours. */
const DRAIN_MILLISECONDS = 2000;

export function dialTcp(options: DialOptions, listener: TransportListener): Transport {
  if (options.password !== null) return refuse(listener, "TCP MD5 needs the native addon, which is not loaded");
  const socket = createConnection({
    host: scoped(options),
    port: options.port,
    noDelay: true,
    allowHalfOpen: true,
    ...(options.localAddress === null ? {} : { localAddress: options.localAddress }),
  });
  return new TcpTransport(socket, listener, options);
}

export async function listenTcp(
  address: string,
  port: number,
  accept: (incoming: Incoming) => void,
): Promise<Listening> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    accept(incomingOf(socket, false, () => {}));
  });
  server.listen({ host: address, port, ipv6Only: true });
  await listening(server, port);
  return { setPassword() {}, close: () => void server.close() };
}

/** @param prepare sets what a session wants of its socket. */
export function incomingOf(
  socket: Socket,
  signed: boolean,
  prepare: (options: Pick<DialOptions, "ttl" | "minTtl">) => void,
): Incoming {
  const remoteAddress = plainAddress(socket.remoteAddress ?? "");
  const localAddress = plainAddress(socket.localAddress ?? "");
  return {
    remoteAddress,
    localAddress,
    signed,
    take: (options, listener) => {
      prepare(options);
      return new TcpTransport(socket, listener, { address: remoteAddress, port: socket.remotePort ?? 0, localAddress });
    },
    refuse: () => {
      socket.on("error", () => {});
      socket.destroy();
    },
  };
}

/** Resolves when the server listens; rejects in words. */
export function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(new Error(explainListen(error, port))));
    server.once("listening", resolve);
  });
}

export function explainListen(error: NodeJS.ErrnoException, port: number): string {
  if (error.code === "EADDRINUSE") return `TCP port ${port} is taken: another BGP speaker runs on this node`;
  return `cannot listen on TCP port ${port}: ${error.message}`;
}

/** A dual-stack socket sees IPv4 as `::ffff:a.b.c.d`, and a link-local address has its interface behind it. */
export function plainAddress(address: string): string {
  const bare = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  return bare.split("%")[0]!;
}

/** A link-local address means nothing without its interface. */
export function scoped({ address, interfaceName }: Pick<DialOptions, "address" | "interfaceName">): string {
  return interfaceName !== null && /^fe[89ab]/i.test(address) ? `${address}%${interfaceName}` : address;
}

/** A transport that fails at once, asynchronously as any other failure. */
export function refuse(listener: TransportListener, words: string): Transport {
  let over = false;
  const stop = () => {
    over = true;
  };
  queueMicrotask(() => {
    if (!over) listener.onClosed(words);
  });
  return { write: () => true, finish: stop, abort: stop, localAddress: null };
}

export class TcpTransport implements Transport {
  readonly #socket: Socket;
  /** `null` once the session has let go: nothing more is reported. */
  #listener: TransportListener | null;

  constructor(
    socket: Socket,
    listener: TransportListener,
    options: Pick<DialOptions, "address" | "port" | "localAddress">,
  ) {
    this.#socket = socket;
    this.#listener = listener;
    let words = "the peer closed the connection";
    socket.on("connect", () => this.#listener?.onConnected());
    socket.on("data", (chunk: Uint8Array) => this.#listener?.onData(chunk));
    socket.on("drain", () => this.#listener?.onDrained());
    socket.on("error", (error: NodeJS.ErrnoException) => {
      words = explain(error, options);
    });
    // The socket is half-open by choice, so the peer's end is an event and not yet a close.
    socket.on("end", () => socket.destroy());
    socket.on("close", () => this.#release()?.onClosed(words));
  }

  get localAddress(): string | null {
    return this.#socket.localAddress === undefined ? null : plainAddress(this.#socket.localAddress);
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  finish(): void {
    this.#release();
    if (this.#socket.connecting) {
      this.#socket.destroy();
      return;
    }
    this.#socket.end();
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.destroy(), DRAIN_MILLISECONDS);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  abort(): void {
    this.#release();
    this.#socket.destroy();
  }

  #release(): TransportListener | null {
    const listener = this.#listener;
    this.#listener = null;
    return listener;
  }
}

export function explain(
  error: NodeJS.ErrnoException,
  { address, port, localAddress }: Pick<DialOptions, "address" | "port" | "localAddress">,
): string {
  const peer = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  switch (error.code) {
    case "ECONNREFUSED":
      return `connection to ${peer} refused: no BGP speaker listens there`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `no route to ${peer}`;
    case "ETIMEDOUT":
      return `connection to ${peer} timed out (a router with another TCP MD5 password looks the same)`;
    case "EADDRNOTAVAIL":
      return `local address ${localAddress ?? "(chosen by the kernel)"} is not on this node`;
    case "ECONNRESET":
      return "the peer reset the connection";
    default:
      return `connection to ${peer}: ${error.message}`;
  }
}
