/**
 * Asks the policies of a VIP about a new flow, in their order, until one decides.
 *
 * A hook may do anything: what it throws or answers wrongly is counted and comes to what its `onError` says, also when it
 * has been switched off for it (guarded-calls.ts). The calls of one flow in 128 are timed.
 */
import { NO_BACKEND } from "../dataplane/forwarding-layout.ts";
import type { NewFlowPolicies } from "../dataplane/new-flow-policies.ts";
import type { Pipeline } from "../dataplane/pipeline.ts";
import { AnswerKind, type PolicyHooks } from "./define-policy.ts";
import { type CallSurroundings, GuardedCalls } from "./guarded-calls.ts";
import { NewFlowView } from "./new-flow-view.ts";
import { STAT, STAT_WORDS } from "./policy-stats.ts";
import type { ServiceDirectory } from "./service-directory.ts";

/** The calls of one flow in so many are timed, a power of two: reading the clock takes longer than a short hook. */
const TIMED = 128;
/** A hook should take a few microseconds at most: it holds up the frames behind its own. */
const BUDGET_NANOSECONDS = 50_000;
/** A policy as it runs in this worker. */
export interface RunningPolicy {
  readonly name: string;
  /** Its bit in a VIP's word of policies, and its place in the statistics; it keeps that for as long as it is there. */
  readonly slot: number;
  readonly hooks: PolicyHooks;
  readonly onError: "allow" | "deny";
}

/** Policies that are ready to be asked, and the clock that their state goes by: nanoseconds, in its first element. */
export interface PolicySet {
  readonly running: readonly RunningPolicy[];
  readonly clock: Float64Array;
}

export function noPolicies(): PolicySet {
  return { running: [], clock: new Float64Array(1) };
}

/** What the chain needs of the world around it; the clock is that of the batch in work. */
export interface ChainSurroundings extends CallSurroundings {
  /** Reads the clock as it is now. */
  readonly readClock: (into: Float64Array) => void;
  /** Told of each new reason for which a policy denies, and of its number. */
  readonly onReason: (policy: string, reason: string, number: number) => void;
}

/** A policy with an `onNewFlow`, and what is the same for each of its calls. */
interface AskedPolicy extends RunningPolicy {
  readonly hooks: PolicyHooks & Required<Pick<PolicyHooks, "onNewFlow">>;
  /** In a VIP's word of policies. */
  readonly bit: number;
  /** Where its statistics begin. */
  readonly stat: number;
  /** Numbers from 1, in the order in which they were told. */
  readonly reasons: Map<string, number>;
}

/** Reasons are few; the rest of a module that makes them up is not kept. */
const MAX_REASONS = 32;

export class PolicyChain implements NewFlowPolicies {
  vip = 0;
  backend = NO_BACKEND;
  byNat = false;
  watched = false;
  policy = 0;
  readonly #policies: readonly RunningPolicy[];
  readonly #asked: readonly AskedPolicy[];
  readonly #view: NewFlowView;
  readonly #surroundings: ChainSurroundings;
  /** When the call that is timed began, and when it ended: in memory, for a number of its own would be allocated. */
  readonly #begun = new Float64Array(1);
  readonly #ended = new Float64Array(1);
  readonly #pipeline: Pipeline;
  readonly #calls: GuardedCalls;
  /** Number of the reason of the last answer; 0 for none. */
  #reason = 0;
  /** Flows asked about since the last one that was timed. */
  #untimed = 0;

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
    this.#asked = policies.flatMap(({ name, slot, hooks, onError }) => {
      if (!isAsked(hooks)) return [];
      return [{ name, slot, hooks, onError, bit: 1 << slot, stat: slot * STAT_WORDS, reasons: new Map() }];
    });
    this.#view = new NewFlowView(pipeline, directory, interfaces, surroundings.batchClock);
    this.#surroundings = surroundings;
    this.#calls = new GuardedCalls(surroundings);
  }

  ask(i: number, vip: number): boolean {
    this.vip = vip;
    this.backend = NO_BACKEND;
    this.policy = 0;
    this.#reason = 0;
    this.#view.show(i, vip);
    const isTimed = this.#untimed === 0;
    this.#untimed = (this.#untimed + 1) & (TIMED - 1);
    const isAllowed = this.#askInOrder(i, vip, isTimed);
    // Once for all of them: the next one's number takes the place of the last one's.
    this.#calls.end();
    this.byNat = this.#view.byNat;
    this.watched = this.#view.watched;
    return isAllowed;
  }

  #askInOrder(i: number, vip: number, isTimed: boolean): boolean {
    const mask = this.#pipeline.table.policies(vip);
    const asked = this.#asked;
    for (let index = 0; index < asked.length; index++) {
      const policy = asked[index]!;
      if ((mask & policy.bit) === 0) continue;
      const answer = this.#answerOf(policy, isTimed);
      if (answer === AnswerKind.Continue) continue;
      this.policy = policy.slot + 1;
      this.#note(i, answer);
      if (answer === AnswerKind.SetMode || answer === AnswerKind.Capture) continue;
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
    for (const policy of this.#policies) {
      if (policy.hooks.onTick === undefined || this.#calls.isOff(policy)) continue;
      this.#calls.begin(policy);
      try {
        policy.hooks.onTick(milliseconds);
      } catch (error) {
        this.#calls.fail(policy, error);
      }
      this.#calls.end();
    }
  }

  /** @returns the kind of the answer, after it has been checked and counted. */
  #answerOf(policy: AskedPolicy, isTimed: boolean): number {
    if (this.#calls.isOff(policy)) return outcomeOfError(policy);
    const { stats } = this.#surroundings;
    stats[policy.stat + STAT.asked]! += 1;
    this.#view.chosen = -1;
    if (isTimed) this.#surroundings.readClock(this.#begun);
    this.#calls.begin(policy);
    let answer: unknown;
    try {
      answer = policy.hooks.onNewFlow(this.#view);
    } catch (error) {
      return this.#fail(policy, error);
    }
    if (isTimed) this.#time(policy.stat);
    if (answer !== AnswerKind.Continue) return this.#count(policy, answer);
    stats[policy.stat + STAT.continued]! += 1;
    return AnswerKind.Continue;
  }

  /** Any answer but `Continue`. */
  #count(policy: AskedPolicy, answer: unknown): number {
    const { stats, onReason } = this.#surroundings;
    const { stat, reasons } = policy;
    switch (answer) {
      case AnswerKind.Allow:
        stats[stat + STAT.allowed]! += 1;
        return AnswerKind.Allow;
      case AnswerKind.Deny: {
        stats[stat + STAT.denied]! += 1;
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
      case AnswerKind.SetMode:
        stats[stat + STAT.modeSet]! += 1;
        return answer;
      case AnswerKind.Capture:
        stats[stat + STAT.captured]! += 1;
        return answer;
    }
    return this.#fail(policy, new TypeError(`onNewFlow answered ${String(answer)}, which is no Answer`));
  }

  #time(stat: number): void {
    const { readClock, stats } = this.#surroundings;
    readClock(this.#ended);
    const taken = this.#ended[0]! - this.#begun[0]!;
    stats[stat + STAT.timed]! += 1;
    stats[stat + STAT.nanoseconds]! += taken;
    if (taken > stats[stat + STAT.longest]!) stats[stat + STAT.longest] = taken;
    if (taken > BUDGET_NANOSECONDS) stats[stat + STAT.overBudget]! += 1;
  }

  #fail(policy: RunningPolicy, error: unknown): number {
    this.#calls.fail(policy, error);
    return outcomeOfError(policy);
  }
}

function isAsked(hooks: PolicyHooks): hooks is AskedPolicy["hooks"] {
  return hooks.onNewFlow !== undefined;
}

function outcomeOfError(policy: RunningPolicy): number {
  return policy.onError === "deny" ? AnswerKind.Deny : AnswerKind.Continue;
}
