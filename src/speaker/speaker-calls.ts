/**
 * What can be asked of a speaker, wherever it runs: on a thread of this process (`speaker.ts`) or in a process of its own
 * (`remote-speaker.ts`). A subclass carries one call and its answer; events come to `deliver`.
 */
import type { ReceivedRoute } from "../bgp/adj-rib-in.ts";
import { type DeclaredSpec, declared } from "../bgp/declared-spec.ts";
import type { PeerStatus, RouteSpec, SpeakerSpec } from "../bgp/speaker-spec.ts";
import type { Explanation } from "./speaker-core.ts";
import type { SpeakerEvent, SpeakerListener } from "./speaker-event.ts";
import type { SpeakerCall, SpeakerReply, SpeakerRequest } from "./speaker-message.ts";

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export abstract class SpeakerCalls {
  readonly #listeners = new Set<SpeakerListener>();
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  /** Makes the sessions be as `spec` says; resolves when it is in force (sessions come up later). */
  async apply(spec: SpeakerSpec): Promise<void> {
    await this.declare(declared(spec));
  }

  /** `apply` for what is ready already. */
  async declare(spec: DeclaredSpec): Promise<void> {
    await this.call({ call: "apply", spec });
  }

  async status(): Promise<PeerStatus[]> {
    return (await this.call({ call: "status" })) as PeerStatus[];
  }

  /** The routes that the peer of this name has been told. */
  async advertised(peerName: string): Promise<RouteSpec[]> {
    return (await this.call({ call: "advertised", peerName })) as RouteSpec[];
  }

  async received(peerName: string, most = 1000): Promise<ReceivedRoute[]> {
    return (await this.call({ call: "received", peerName, most })) as ReceivedRoute[];
  }

  /** Why each peer (or the one named) has the prefix or has it not. */
  async explain(prefix: string, peerName: string | null = null): Promise<Explanation[]> {
    return (await this.call({ call: "explain", prefix, peerName })) as Explanation[];
  }

  /** Asks the peer for its routes again (RFC 2918). */
  async refresh(peerName: string): Promise<void> {
    await this.call({ call: "refresh", peerName });
  }

  /** The last messages of the peer's session as a capture file; `null` for an unknown peer. */
  async capture(peerName: string): Promise<Uint8Array | null> {
    return (await this.call({ call: "capture", peerName })) as Uint8Array | null;
  }

  /** Calls `listener` on each event until the returned function is called. */
  onEvent(listener: SpeakerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Hands a request over; an Error when there is nobody to hand it to. */
  protected abstract post(request: SpeakerRequest): Error | null;

  protected call(call: SpeakerCall): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      const refusal = this.post({ ...call, id });
      if (refusal === null) return;
      this.#pending.delete(id);
      reject(refusal);
    });
  }

  protected take(reply: SpeakerReply): void {
    if (reply.type === "event") {
      this.#deliver(reply.event);
      return;
    }
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.type === "answer") pending?.resolve(reply.value);
    else pending?.reject(new Error(reply.message));
  }

  /** Nothing that was asked will be answered any more. */
  protected fail(reason: string): void {
    for (const { reject } of this.#pending.values()) reject(new Error(reason));
    this.#pending.clear();
  }

  #deliver(event: SpeakerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
