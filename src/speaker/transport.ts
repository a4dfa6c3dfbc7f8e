/**
 * A byte stream to a peer, as the session sees it; TCP behind it, or a pair of in-memory pipes in a test.
 *
 * A transport reports through its listener and is silent after `onClosed`. `finish` is how a session says goodbye: write,
 * shut down the sending side, drain what the peer still sends, close. Closing with unread data would send RST, and the
 * peer would lose our NOTIFICATION to it.
 */

export interface TransportListener {
  onConnected(): void;
  onData(chunk: Uint8Array): void;
  /** Everything written has left after `write` had answered false. */
  onDrained(): void;
  /** The stream is over or could not begin; `words` say why. Never called after `finish` or `abort`. */
  onClosed(words: string): void;
}

export interface Transport {
  /** False while more is waiting to leave than the system takes at once. */
  write(bytes: Uint8Array): boolean;
  finish(): void;
  abort(): void;
}

export interface DialOptions {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string | null;
  /** IP TTL of what we send; `null` leaves the system's. */
  readonly ttl: number | null;
  readonly password: string | null;
}

/** Begins a connection; everything that happens to it, failure included, comes through the listener later. */
export type Dial = (options: DialOptions, listener: TransportListener) => Transport;
