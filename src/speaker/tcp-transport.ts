/**
 * Transport over TCP. What went wrong is said in words that name the likely cause.
 *
 * `dialTcp` uses `node:net` alone: it cannot set a TTL, and refuses a password rather than connect without it.
 */
import { createConnection, type Socket } from "node:net";
import type { DialOptions, Transport, TransportListener } from "./transport.ts";

/** How long a peer may take to close its side after we closed ours. */
const DRAIN_MILLISECONDS = 2000;

export function dialTcp(options: DialOptions, listener: TransportListener): Transport {
  if (options.password !== null) return refuse(listener, "TCP MD5 needs the native addon, which is not loaded");
  const socket = createConnection({
    host: options.address,
    port: options.port,
    noDelay: true,
    allowHalfOpen: true,
    ...(options.localAddress === null ? {} : { localAddress: options.localAddress }),
  });
  return new TcpTransport(socket, listener, options);
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
  return { write: () => true, finish: stop, abort: stop };
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
