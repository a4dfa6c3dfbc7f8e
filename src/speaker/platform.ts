/**
 * What sessions need of the system: connections, BFD, addresses that must be found out. With the addon all of it; without
 * it plain TCP, where a session that needs more says so.
 */
import type { BfdSpec, BfdState, PeerDiscovery } from "../bgp/speaker-spec.ts";
import { dialTcp, listenTcp } from "./tcp-transport.ts";
import type { Dial, Listen } from "./transport.ts";

export interface BfdQuestion {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly interfaceName: string | null;
  readonly spec: BfdSpec;
}

export interface BfdWatch {
  stop(): void;
}

/** `words` say why; a monitor that can't watch says so with state Down, once. */
export type BfdListener = (state: BfdState, words: string) => void;

export interface FoundPeer {
  readonly address: string;
  readonly interfaceName: string | null;
}

export interface Platform {
  readonly dial: Dial;
  readonly listen: Listen;
  /** `null` without BFD. */
  readonly watchBfd: ((question: BfdQuestion, listener: BfdListener) => BfdWatch) | null;
  /** Reports the peer that was found, each time that it changes; `null` when there is none (any more). */
  readonly discover: ((discovery: PeerDiscovery, found: (peer: FoundPeer | null) => void) => { stop(): void }) | null;
  /** Ends what runs on behalf of all sessions. */
  close(): void;
}

export const PLAIN_PLATFORM: Platform = {
  dial: dialTcp,
  listen: listenTcp,
  watchBfd: null,
  discover: null,
  close() {},
};
