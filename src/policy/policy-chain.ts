/**
 * Asks the policies of a VIP about a new flow, in their order, until one decides.
 *
 *     const chain = makePolicyChain(pipeline, surroundings);   // once for each pipeline
 *     chain.show(policies, directory, interfaces);             // with each scene
 *     pipeline.policies = chain;
 *
 * A hook may do anything: what it throws or answers wrongly is counted and comes to what its `onError` says, also when it
 * has been switched off for it (guarded-calls.ts). The calls of one flow in 128 are timed.
 *
 * A closure over what stays the same from scene to scene, for the reason that forward.ts is one: a third of what asking
 * three policies takes is what stands around the calls (bench/policies).
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

export interface PolicyChain extends NewFlowPolicies {
  /** @param policies that are asked from now on, in this order. @param interfaces by port id. */
  show(policies: readonly RunningPolicy[], directory: ServiceDirectory, interfaces: readonly string[]): void;
  /** Once a second or so. */
  tick(milliseconds: number): void;
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

export function makePolicyChain(pipeline: Pipeline, surroundings: ChainSurroundings): PolicyChain {
  const { stats, watch, watchAt, readClock, onReason } = surroundings;
  const { batch } = pipeline;
  const view = new NewFlowView(pipeline, surroundings.batchClock);
  /**
   * Of a flow that is timed: when the clock was last read, which is the beginning of a call and the end of the one before,
   * and when now. In memory, for a number of its own would be allocated.
   */
  const before = new Float64Array(1);
  const now = new Float64Array(1);
  let calls = new GuardedCalls(surroundings);
  let running: readonly RunningPolicy[] = [];
  let asked: readonly AskedPolicy[] = [];
  /** Flows asked about, up to the next one that is timed. */
  let untimed = 0;
  /** Number of the reason of the last answer; 0 for none. */
  let reasonNumber = 0;
  const chain = { vip: 0, backend: NO_BACKEND, byNat: false, watched: false, policy: 0, ask, show, tick };
  return chain;

  function show(policies: readonly RunningPolicy[], directory: ServiceDirectory, interfaces: readonly string[]): void {
    calls = new GuardedCalls(surroundings);
    running = policies;
    asked = policies.flatMap(({ name, slot, hooks, onError }) => {
      if (!isAsked(hooks)) return [];
      return [{ name, slot, hooks, onError, bit: 1 << slot, stat: slot * STAT_WORDS, reasons: new Map() }];
    });
    view.directory = directory;
    view.interfaces = interfaces;
  }

  function ask(i: number, vip: number): boolean {
    chain.vip = vip;
    chain.backend = NO_BACKEND;
    chain.policy = 0;
    reasonNumber = 0;
    view.show(i, vip);
    untimed = (untimed + 1) & (TIMED - 1);
    const isAllowed = askInOrder(i, pipeline.table.policies(vip), untimed === 1);
    // Once for all of them: the next one's number takes the place of the last one's.
    watch[watchAt] = 0;
    chain.byNat = view.byNat;
    chain.watched = view.watched;
    return isAllowed;
  }

  function askInOrder(i: number, mask: number, isTimed: boolean): boolean {
    if (isTimed) readClock(before);
    for (let index = 0; index < asked.length; index++) {
      const policy = asked[index]!;
      if ((mask & policy.bit) === 0) continue;
      const answer = answerOf(policy, isTimed);
      if (answer === AnswerKind.Continue) continue;
      chain.policy = policy.slot + 1;
      // For those who trace the frame.
      batch.policy[i] = chain.policy;
      batch.answer[i] = answer;
      batch.answerReason[i] = reasonNumber;
      if (answer === AnswerKind.SetMode || answer === AnswerKind.Capture) continue;
      if (answer === AnswerKind.Deny) return false;
      if (answer === AnswerKind.UseBackend) chain.backend = view.chosen;
      else if (answer === AnswerKind.UseService) chain.vip = view.chosen;
      return true;
    }
    return true;
  }

  /** @returns the kind of the answer, after it has been checked and counted. */
  function answerOf(policy: AskedPolicy, isTimed: boolean): number {
    const { stat } = policy;
    if (stats[stat + STAT.off] === 1) return outcomeOfError(policy);
    stats[stat + STAT.asked]! += 1;
    view.chosen = -1;
    watch[watchAt] = policy.slot + 1;
    let answer: unknown;
    try {
      answer = policy.hooks.onNewFlow(view);
    } catch (error) {
      return fail(policy, error);
    }
    if (isTimed) time(stat);
    if (answer !== AnswerKind.Continue) return count(policy, answer);
    stats[stat + STAT.continued]! += 1;
    return AnswerKind.Continue;
  }

  /** Any answer but `Continue`. */
  function count(policy: AskedPolicy, answer: unknown): number {
    const { stat, reasons } = policy;
    switch (answer) {
      case AnswerKind.Allow:
        stats[stat + STAT.allowed]! += 1;
        return AnswerKind.Allow;
      case AnswerKind.Deny: {
        stats[stat + STAT.denied]! += 1;
        const { reason } = view;
        if (!reasons.has(reason) && reasons.size < MAX_REASONS) {
          reasons.set(reason, reasons.size + 1);
          onReason(policy.name, reason, reasons.size);
        }
        reasonNumber = reasons.get(reason) ?? 0;
        return AnswerKind.Deny;
      }
      case AnswerKind.UseBackend:
      case AnswerKind.UseService:
        if (view.chosen < 0) break;
        stats[stat + (answer === AnswerKind.UseBackend ? STAT.backendChosen : STAT.serviceChosen)]! += 1;
        return answer;
      case AnswerKind.SetMode:
        stats[stat + STAT.modeSet]! += 1;
        return answer;
      case AnswerKind.Capture:
        stats[stat + STAT.captured]! += 1;
        return answer;
    }
    return fail(policy, new TypeError(`onNewFlow answered ${String(answer)}, which is no Answer`));
  }

  function time(stat: number): void {
    readClock(now);
    const taken = now[0]! - before[0]!;
    before[0] = now[0]!;
    stats[stat + STAT.timed]! += 1;
    stats[stat + STAT.nanoseconds]! += taken;
    if (taken > stats[stat + STAT.longest]!) stats[stat + STAT.longest] = taken;
    if (taken > BUDGET_NANOSECONDS) stats[stat + STAT.overBudget]! += 1;
  }

  function fail(policy: AskedPolicy, error: unknown): number {
    calls.fail(policy, error);
    // That the time of the next policy does not begin before this.
    readClock(before);
    return outcomeOfError(policy);
  }

  function tick(milliseconds: number): void {
    for (const policy of running) {
      if (policy.hooks.onTick === undefined || calls.isOff(policy)) continue;
      calls.begin(policy);
      try {
        policy.hooks.onTick(milliseconds);
      } catch (error) {
        calls.fail(policy, error);
      }
      calls.end();
    }
  }
}

function isAsked(hooks: PolicyHooks): hooks is AskedPolicy["hooks"] {
  return hooks.onNewFlow !== undefined;
}

function outcomeOfError(policy: RunningPolicy): number {
  return policy.onError === "deny" ? AnswerKind.Deny : AnswerKind.Continue;
}
