/** Tells policies of flows that have ended: reads the notes of all threads, and calls `onFlowEnd`. */
import { END_LISTENERS, FlowEndReader } from "../dataplane/flow-end-log.ts";
import type { AddressHashers } from "./address-view.ts";
import { EndedFlowView } from "./ended-flow-view.ts";
import { type CallSurroundings, GuardedCalls } from "./guarded-calls.ts";
import type { RunningPolicy } from "./policy-chain.ts";
import { STAT, STAT_WORDS } from "./policy-stats.ts";
import type { ServiceDirectory } from "./service-directory.ts";

export class FlowEndCalls {
  readonly #readers: readonly FlowEndReader[];
  readonly #surroundings: CallSurroundings;
  readonly #calls: GuardedCalls;

  /** @param rings one for each thread that ends flows. */
  constructor(rings: readonly Int32Array[], surroundings: CallSurroundings) {
    this.#readers = rings.map((ring) => new FlowEndReader(ring));
    this.#surroundings = surroundings;
    this.#calls = new GuardedCalls(surroundings);
  }

  /** Tells of at most so many ends from each ring. @returns of how many. */
  tell(policies: readonly RunningPolicy[], hashers: AddressHashers, directory: ServiceDirectory, most: number): number {
    const view = new EndedFlowView(hashers, directory);
    let told = 0;
    for (const reader of this.#readers) {
      for (let turn = 0; turn < most; turn++) {
        const note = reader.peek();
        if (note < 0) break;
        view.show(reader.words, note);
        const listeners = reader.words[note + END_LISTENERS]!;
        for (const policy of policies) if ((listeners & (1 << policy.slot)) !== 0) this.#call(policy, view);
        // After the calls: a note whose reading never ends is told anew to those who come after, when it is switched off.
        reader.release();
        told++;
      }
    }
    return told;
  }

  #call(policy: RunningPolicy, view: EndedFlowView): void {
    if (policy.hooks.onFlowEnd === undefined || this.#calls.isOff(policy)) return;
    this.#surroundings.stats[policy.slot * STAT_WORDS + STAT.endsTold]! += 1;
    this.#calls.begin(policy);
    try {
      policy.hooks.onFlowEnd(view);
    } catch (error) {
      this.#calls.fail(policy, error);
    }
    this.#calls.end();
  }
}
