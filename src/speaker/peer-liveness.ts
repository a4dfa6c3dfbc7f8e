/** What the system tells a session about its peer: where it is (discovery), and whether it is there (BFD). */
import type { BfdSpec, BfdState, PeerDiscovery } from "../bgp/speaker-spec.ts";
import type { BfdWatch, FoundPeer, Platform } from "./platform.ts";

interface LivenessListener {
  onDown(words: string): void;
  onFound(peer: FoundPeer | null): void;
  onProblem(words: string): void;
}

export class PeerLiveness {
  readonly #platform: Platform;
  readonly #listener: LivenessListener;
  #watch: BfdWatch | null = null;
  /** What is watched, as text; another text is another watch. */
  #watched: string | null = null;
  #bfdState: BfdState | null = null;
  #search: { stop(): void } | null = null;

  constructor(platform: Platform, listener: LivenessListener) {
    this.#platform = platform;
    this.#listener = listener;
  }

  get bfdState(): BfdState | null {
    return this.#bfdState;
  }

  discover(discovery: PeerDiscovery): void {
    if (this.#platform.discover === null) {
      this.#listener.onProblem("finding a peer's address needs the native addon, which is not loaded");
      return;
    }
    this.#search?.stop();
    let known: string | null = null;
    this.#search = this.#platform.discover(discovery, (peer) => {
      const text = JSON.stringify(peer);
      if (text !== known) this.#listener.onFound(peer);
      known = text;
    });
  }

  /** Begins, changes or ends watching the peer by BFD; nothing happens when all is as before. */
  watch(spec: BfdSpec | null, peer: FoundPeer | null, localAddress: string | null): void {
    if (spec === null) {
      this.#stopWatch();
      return;
    }
    if (peer === null || localAddress === null) return;
    const question = { localAddress, remoteAddress: peer.address, interfaceName: peer.interfaceName, spec };
    const text = JSON.stringify(question);
    if (text === this.#watched) return;
    this.#stopWatch();
    if (this.#platform.watchBfd === null) {
      this.#listener.onProblem("BFD needs the native addon, which is not loaded");
      return;
    }
    this.#watched = text;
    this.#bfdState = "Down";
    this.#watch = this.#platform.watchBfd(question, (state, words) => {
      const wasUp = this.#bfdState === "Up";
      this.#bfdState = state;
      // Our side is never down by its administrator: it could not begin.
      if (state === "AdminDown") this.#listener.onProblem(words);
      else if (wasUp && state !== "Up") this.#listener.onDown(words);
    });
  }

  stop(): void {
    this.#stopWatch();
    this.#search?.stop();
    this.#search = null;
  }

  #stopWatch(): void {
    this.#watch?.stop();
    this.#watch = null;
    this.#watched = null;
    this.#bfdState = null;
  }
}
