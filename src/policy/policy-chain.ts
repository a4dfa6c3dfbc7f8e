/**
 * Asks the policies of a VIP about a new flow, in their order, until one decides.
 *
 * A hook may do anything: what it throws or answers wrongly is counted and comes to what its `onError` says; after a burst
 * of errors it is switched off until it is loaded anew, and still comes to what `onError` says. One call in sixty-four is
 * timed. Before each call the number of the policy is written where the watchdog looks, in case the call never returns.
 */
import { NO_BACKEND } from "../dataplane/forwarding-layout.ts";
import type { NewFlowPolicies } from "../dataplane/new-flow-policies.ts";
import type { Pipeline } from "../dataplane/pipeline.ts";
import type { PolicyHooks } from "./define-policy.ts";
import { AnswerKind, NewFlowView } from "./new-flow-view.ts";
import { STAT, STAT_WORDS } from "./policy-stats.ts";
import type { ServiceDirectory } from "./service-directory.ts";

/** One call in so many is timed: a power of two. */
const TIMED = 64;
/** A hook should take a few microseconds at most: it holds up the frames behind its own. */
const BUDGET_NANOSECONDS = 50_000;
/** So many errors within so many milliseconds switch a policy off. */
const BURST_ERRORS = 100;
const BURST_MILLISECONDS = 10_000;

/** A policy as it runs in this worker. */
export interface RunningPolicy {
  readonly name: string;
  /** Its bit in a VIP's word of policies, and its place in the statistics; it keeps that for as long as it is there. */
  readonly slot: number;
  readonly hooks: PolicyHooks;
  readonly onError: "allow" | "deny";
}

/** What the chain needs of the world around it. */
export interface ChainSurroundings {
  /** The monotonic clock when the batch in work began, in nanoseconds, in the first element. */
  readonly batchClock: Float64Array;
  /** Reads the clock, likewise. */
  readonly readClock: (into: Float64Array) => void;
  /** `policyStatsMemory`. */
  readonly stats: Float64Array;
  /** Word in which the number of the policy being asked stands, from 1; 0 when none is. */
  readonly watch: Int32Array;
  readonly watchAt: number;
  /** Told of the first error of a policy, and when it is switched off. */
  readonly onTrouble: (policy: string, message: string, isOff: boolean) => void;
  /** Told of each new reason for which a policy denies, and of its number. */
  readonly onReason: (policy: string, reason: string, number: number) => void;
}

/** Reasons are few; the rest of a module that makes them up is not kept. */
const MAX_REASONS = 32;

export class PolicyChain implements NewFlowPolicies {
  vip = 0;
  backend = NO_BACKEND;
  policy = 0;
  readonly #policies: readonly RunningPolicy[];
  readonly #view: NewFlowView;
  readonly #surroundings: ChainSurroundings;
  readonly #clock = new Float64Array(1);
  readonly #pipeline: Pipeline;
  readonly #bursts: { since: number; errors: number }[];
  /** Numbers from 1, in the order in which they were told. */
  readonly #reasons: Map<string, number>[];
  /** Number of the reason of the last answer; 0 for none. */
  #reason = 0;
  #calls = 0;

  /** @param policies in the order in which they are asked. */
  constructor(
    pipeline: Pipeline,
    policies: readonly RunningPolicy[],
    directory: ServiceDirectory,
    interfaces: readonly string[],
    surroundings: ChainSurroundings,
  ) {
    this.#pipeline = pipeline;
    this.#policies = policies;
    this.#view = new NewFlowView(pipeline, directory, interfaces);
    this.#surroundings = surroundings;
    this.#bursts = policies.map(() => ({ since: 0, errors: 0 }));
    this.#reasons = policies.map(() => new Map());
  }

  ask(i: number, vip: number): boolean {
    this.vip = vip;
    this.backend = NO_BACKEND;
    this.policy = 0;
    this.#reason = 0;
    this.#view.show(i, vip, Math.floor(this.#surroundings.batchClock[0]! / 1e6));
    const mask = this.#pipeline.table.policies(vip);
    for (let index = 0; index < this.#policies.length; index++) {
      const policy = this.#policies[index]!;
      if ((mask & (1 << policy.slot)) === 0) continue;
      const answer = this.#answerOf(index, policy);
      if (answer === AnswerKind.Continue) continue;
      this.policy = policy.slot + 1;
      this.#note(i, answer);
      if (answer === AnswerKind.Deny) return false;
      if (answer === AnswerKind.UseBackend) this.backend = this.#view.chosen;
      else if (answer === AnswerKind.UseService) this.vip = this.#view.chosen;
      return true;
    }
    return true;
  }

  /** For those who trace the frame. */
  #note(i: number, answer: number): void {
    const { batch } = this.#pipeline;
    batch.policy[i] = this.policy;
    batch.answer[i] = answer;
    batch.answerReason[i] = this.#reason;
  }

  /** Once a second or so. */
  tick(milliseconds: number): void {
    for (const [index, policy] of this.#policies.entries()) {
      if (policy.hooks.onTick === undefined || this.#isOff(policy)) continue;
      this.#watch(policy.slot + 1);
      try {
        policy.hooks.onTick(milliseconds);
      } catch (error) {
        this.#fail(index, policy, error);
      }
      this.#watch(0);
    }
  }

  /** @returns the kind of the answer, after it has been checked and counted. */
  #answerOf(index: number, policy: RunningPolicy): number {
    if (policy.hooks.onNewFlow === undefined) return AnswerKind.Continue;
    if (this.#isOff(policy)) return outcomeOfError(policy);
    const stat = policy.slot * STAT_WORDS;
    const { stats } = this.#surroundings;
    stats[stat + STAT.asked]! += 1;
    this.#view.chosen = -1;
    const timed = (this.#calls++ & (TIMED - 1)) === 0;
    if (timed) this.#surroundings.readClock(this.#clock);
    const begun = this.#clock[0]!;
    this.#watch(policy.slot + 1);
    let answer: unknown;
    try {
      answer = policy.hooks.onNewFlow(this.#view);
    } catch (error) {
      this.#watch(0);
      return this.#fail(index, policy, error);
    }
    this.#watch(0);
    if (timed) this.#time(stat, begun);
    return this.#count(index, policy, answer);
  }

  #count(index: number, policy: RunningPolicy, answer: unknown): number {
    const { stats, onReason } = this.#surroundings;
    const stat = policy.slot * STAT_WORDS;
    switch (answer) {
      case AnswerKind.Continue:
        stats[stat + STAT.continued]! += 1;
        return AnswerKind.Continue;
      case AnswerKind.Allow:
        stats[stat + STAT.allowed]! += 1;
        return AnswerKind.Allow;
      case AnswerKind.Deny: {
        stats[stat + STAT.denied]! += 1;
        const reasons = this.#reasons[index]!;
        const { reason } = this.#view;
        if (!reasons.has(reason) && reasons.size < MAX_REASONS) {
          reasons.set(reason, reasons.size + 1);
          onReason(policy.name, reason, reasons.size);
        }
        this.#reason = reasons.get(reason) ?? 0;
        return AnswerKind.Deny;
      }
      case AnswerKind.UseBackend:
      case AnswerKind.UseService:
        if (this.#view.chosen < 0) break;
        stats[stat + (answer === AnswerKind.UseBackend ? STAT.backendChosen : STAT.serviceChosen)]! += 1;
        return answer;
    }
    return this.#fail(index, policy, new TypeError(`onNewFlow answered ${String(answer)}, which is no Answer`));
  }

  #time(stat: number, begun: number): void {
    const { readClock, stats } = this.#surroundings;
    readClock(this.#clock);
    const taken = this.#clock[0]! - begun;
    stats[stat + STAT.timed]! += 1;
    stats[stat + STAT.nanoseconds]! += taken;
    if (taken > stats[stat + STAT.longest]!) stats[stat + STAT.longest] = taken;
    if (taken > BUDGET_NANOSECONDS) stats[stat + STAT.overBudget]! += 1;
  }

  #fail(index: number, policy: RunningPolicy, error: unknown): number {
    const { stats, onTrouble } = this.#surroundings;
    const stat = policy.slot * STAT_WORDS;
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const burst = this.#bursts[index]!;
    if (this.#view.milliseconds - burst.since > BURST_MILLISECONDS) {
      burst.since = this.#view.milliseconds;
      burst.errors = 0;
    }
    burst.errors++;
    if (stats[stat + STAT.errors] === 0) onTrouble(policy.name, message, false);
    stats[stat + STAT.errors]! += 1;
    if (burst.errors === BURST_ERRORS) {
      stats[stat + STAT.off] = 1;
      onTrouble(policy.name, message, true);
    }
    return outcomeOfError(policy);
  }

  #isOff(policy: RunningPolicy): boolean {
    return this.#surroundings.stats[policy.slot * STAT_WORDS + STAT.off] === 1;
  }

  #watch(policy: number): void {
    this.#surroundings.watch[this.#surroundings.watchAt] = policy;
  }
}

function outcomeOfError(policy: RunningPolicy): number {
  return policy.onError === "deny" ? AnswerKind.Deny : AnswerKind.Continue;
}
