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
  /** Our address on the connection, once there is one. */
  readonly localAddress: string | null;
}

export interface DialOptions {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string | null;
  /** Interface of a link-local address. */
  readonly interfaceName: string | null;
  /** IP TTL of what we send; `null` leaves the system's. */
  readonly ttl: number | null;
  /** What arrives with less is dropped (RFC 5082). */
  readonly minTtl: number | null;
  readonly password: string | null;
}

/** Begins a connection; everything that happens to it, failure included, comes through the listener later. */
export type Dial = (options: DialOptions, listener: TransportListener) => Transport;

/** A connection that a peer opened, not yet given to a session. */
export interface Incoming {
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** Its segments are signed with the key that was set for the address. */
  readonly signed: boolean;
  take(options: Pick<DialOptions, "ttl" | "minTtl">, listener: TransportListener): Transport;
  refuse(): void;
}

export interface Listening {
  /** The key for connections from `peer`; `null` takes it away. */
  setPassword(peer: string, password: string | null): void;
  close(): void;
}

/** Rejects in words when the address cannot be listened on. */
export type Listen = (address: string, port: number, accept: (incoming: Incoming) => void) => Promise<Listening>;
