/**
 * The policies of this node: loaded from what the operator wants, given to the workers with each forwarding table, and
 * what they did in there: answers, errors, reasons.
 */
import type { Logger } from "pino";
import { type FlowEndMemory, flowEndListeners, flowEndRing } from "../dataplane/flow-end-log.ts";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import type { IdRegistry } from "../dataplane/id-registry.ts";
import { MAX_POLICIES } from "../dataplane/new-flow-policies.ts";
import type { Intent } from "../intent/intent.ts";
import { fillFlowEndListeners } from "../policy/flow-end-listeners.ts";
import { ANSWER_WORDS } from "../policy/new-flow-view.ts";
import { type PolicyStats, policyStatsMemory, STAT, STAT_WORDS, sumPolicyStats } from "../policy/policy-stats.ts";
import { directoryEntries } from "../policy/service-directory.ts";
import { ControlHooks } from "../policy-host/control-hooks.ts";
import { IntentShaping } from "../policy-host/intent-shaping.ts";
import type { LoadedPolicy, PolicyScene } from "../policy-host/loaded-policy.ts";
import { type LoadOutcome, PolicyHost, type PolicyState } from "../policy-host/policy-host.ts";
import type { PolicyNames } from "../trace/describe-frame.ts";
import type { WorkerNews } from "../worker/task.ts";
import { readXdpCounter } from "../xdp/xdp-counters.ts";
import { type DoorRequest, DoorRequests, requestOf, type SynCookiesStatus } from "./door-requests.ts";
import type { Foundation } from "./foundation.ts";
import type { RunOptions } from "./run-options.ts";

export interface PolicyStatus extends PolicyState {
  readonly stats: PolicyStats;
  /** The newest error of its hooks; `null` when there was none. */
  readonly lastError: string | null;
  /** For which it has denied flows. */
  readonly reasons: readonly string[];
  /** What it asks of the kernel. */
  readonly asks: DoorRequest;
}

/** How often it is looked what policies ask of the kernel. */
const DOOR_MILLISECONDS = 250;

export const NO_POLICIES: LoadOutcome = { policies: [], slots: new Map(), revalidate: new Set(), problems: [] };

/** What the workers need to ask them; `null` when there are none. */
export function sceneOf({ policies }: LoadOutcome, ids: IdRegistry, interfaces: readonly string[]): PolicyScene | null {
  return policies.length === 0 ? null : { policies, services: directoryEntries(ids), interfaces };
}

/** Ids of the VIPs whose open flows a changed policy wants to be asked about again. */
export function vipsToAskAgain({ revalidate }: LoadOutcome, { vips }: ForwardingSpec, ids: IdRegistry): Set<number> {
  if (revalidate.size === 0) return new Set();
  const concerned = vips.filter(({ policies }) => policies.some((name) => revalidate.has(name)));
  return new Set(concerned.map((vip) => ids.of(vip).id));
}

export class NodePolicies {
  /** By worker: given to each as its `policyStats`; */
  readonly stats: readonly Float64Array[];
  /** and where each notes the ends of flows. */
  readonly ends: readonly FlowEndMemory[];
  /** The same for the main thread. */
  readonly ownEnds: FlowEndMemory;
  readonly #host: PolicyHost;
  readonly #hooks: ControlHooks;
  readonly #door: DoorRequests;
  readonly #looking: NodeJS.Timeout;
  readonly #hookStats = policyStatsMemory(MAX_POLICIES);
  readonly #shaping = new IntentShaping();
  #outcome: LoadOutcome = NO_POLICIES;
  /** As every worker asks them, by name: what was loaded last is not yet that. */
  #inForce: ReadonlyMap<string, PolicyState> = new Map();
  readonly #log: Logger;
  readonly #generations = new Map<string, number>();
  readonly #lastErrors = new Map<string, string>();
  readonly #reasons = new Map<string, Set<string>>();
  /** By policy and worker: the reasons by the numbers that the worker gives them now. */
  readonly #numbered = new Map<string, string[]>();

  /** The folder for copies of modules is beside the socket: emptied first, removed at the end. */
  constructor({ workers, key, object }: Foundation, options: RunOptions, log: Logger) {
    this.#host = new PolicyHost(`${options.socket}.policies`);
    this.stats = Array.from({ length: workers }, () => policyStatsMemory(MAX_POLICIES));
    this.#log = log;
    const listeners = flowEndListeners();
    const memory = (): FlowEndMemory => ({ ring: flowEndRing(), listeners });
    this.ends = Array.from({ length: workers }, memory);
    this.ownEnds = memory();
    const rings = [...this.ends, this.ownEnds].map(({ ring }) => ring);
    this.#hooks = new ControlHooks(
      { hashKey: key, rings, stats: this.#hookStats },
      {
        onTrouble: (policy, message, isOff) => this.#trouble(policy, message, isOff, {}),
        onBroken: (slot, how) => this.#broken(slot, `${how} (onFlowEnd or intent)`, {}),
      },
    );
    const counters = object.map("xdp_counters");
    const turnedAway = () => ({
      questions: readXdpCounter(counters, "challenge") + readXdpCounter(counters, "dropUnproven"),
      refused: readXdpCounter(counters, "dropSourceLimit"),
    });
    this.#door = new DoorRequests(object.map("settings").mmap(), turnedAway, options, log);
    this.#looking = setInterval(() => this.#door.look(this.#asking), DOOR_MILLISECONDS).unref();
  }

  /** Called when a module, or a file that one reads, has changed on disk. */
  onChange(listener: () => void): void {
    this.#host.onChange(listener);
  }

  async load({ flowPolicies, policyFiles }: Intent): Promise<LoadOutcome> {
    const before = new Set(this.#generations.keys());
    const outcome = await this.#host.load(flowPolicies, policyFiles);
    this.#outcome = outcome;
    for (const { name, slot, generation } of outcome.policies) {
      before.delete(name);
      const known = this.#generations.get(name);
      if (known === undefined) this.#clear(slot);
      // What was loaded anew has another chance.
      else if (known !== generation) this.#switch(slot, 0);
      this.#generations.set(name, generation);
    }
    for (const name of before) {
      this.#generations.delete(name);
      this.#lastErrors.delete(name);
      this.#reasons.delete(name);
    }
    return outcome;
  }

  /** What the loaded policies make of the Intent. */
  async shape(intent: Intent, ids: IdRegistry): ReturnType<IntentShaping["shape"]> {
    const { policies } = this.#outcome;
    this.#hooks.show(policies, directoryEntries(ids));
    return this.#shaping.shape(intent, policies, (questions) => this.#hooks.ask(questions));
  }

  /** A spec is in force: from now on these are the flows of whose ends somebody wants to know. */
  serves(spec: ForwardingSpec, ids: IdRegistry): void {
    const { policies } = this.#outcome;
    this.#hooks.show(policies, directoryEntries(ids));
    const listening = policies
      .filter(({ hooks }) => hooks.includes("onFlowEnd"))
      .map(({ name, slot }) => [name, slot] as const);
    fillFlowEndListeners(this.ownEnds.listeners, spec, ids, new Map(listening));
    this.#inForce = new Map(this.#host.status().map((state) => [state.name, state]));
  }

  /** What one that is switched off has asked for nobody would ever take back. */
  get #asking(): LoadedPolicy[] {
    const isOff = (slot: number) => this.#everyStats.some((words) => words[slot * STAT_WORDS + STAT.off] === 1);
    return this.#outcome.policies.filter(({ slot }) => !isOff(slot));
  }

  get #everyStats(): readonly Float64Array[] {
    return [...this.stats, this.#hookStats];
  }

  /** Whether the door has SYN cookies, and for whom. */
  get synCookies(): SynCookiesStatus {
    return this.#door.synCookies;
  }

  close(): void {
    clearInterval(this.#looking);
    this.#hooks.close();
    this.#host.close();
  }

  heard(worker: number, news: WorkerNews): void {
    const { policy } = news;
    if (news.kind === "policy-reason") {
      const reasons = this.#reasons.get(policy) ?? new Set();
      this.#reasons.set(policy, reasons.add(news.reason));
      const numbered = this.#numbered.get(`${policy} ${worker}`) ?? [];
      numbered[news.number] = news.reason;
      this.#numbered.set(`${policy} ${worker}`, numbered);
      return;
    }
    this.#trouble(policy, news.message, news.isOff, { worker });
  }

  /** A worker has ended, or must, because of a policy: from now on that is not called any more. */
  broken(worker: number, slot: number, how: string): void {
    this.#broken(slot, how, { worker });
  }

  status(): PolicyStatus[] {
    const asking = new Map(this.#asking.map(({ name, memory }) => [name, memory]));
    return this.#states().map((state) => ({
      ...state,
      stats: sumPolicyStats(this.#everyStats, state.slot),
      lastError: this.#lastErrors.get(state.name) ?? null,
      reasons: [...(this.#reasons.get(state.name) ?? [])],
      asks: requestOf(asking.get(state.name) ?? {}),
    }));
  }

  /** What is in force, and of what is loaded only why it is not; what is new has no version until then. */
  #states(): PolicyState[] {
    const loaded = new Map(this.#host.status().map((state) => [state.name, state]));
    const begun = [...loaded.values()].filter(({ name }) => !this.#inForce.has(name));
    return [
      ...[...this.#inForce.values()].map((state) => ({ ...state, problem: loaded.get(state.name)?.problem ?? null })),
      ...begun.map((state) => ({ ...state, version: null, digest: null })),
    ];
  }

  /** For those who trace frames: names instead of numbers. */
  get names(): PolicyNames {
    const byNumber = new Map(this.#host.status().map(({ slot, name }) => [slot + 1, name]));
    return {
      name: (policy) => byNumber.get(policy) ?? null,
      answer: (kind) => ANSWER_WORDS[kind] ?? String(kind),
      reason: (worker, policy, number) => this.#numbered.get(`${byNumber.get(policy)} ${worker}`)?.[number] ?? null,
    };
  }

  #trouble(policy: string, error: string, isOff: boolean, where: object): void {
    this.#lastErrors.set(policy, error);
    if (isOff) this.#log.error({ policy, ...where, error }, "the policy fails again and again: it is switched off");
    else this.#log.warn({ policy, ...where, error }, "the policy has failed");
  }

  #broken(slot: number, error: string, where: object): void {
    this.#switch(slot, 1);
    const name = this.#host.status().find((state) => state.slot === slot)?.name ?? String(slot);
    this.#lastErrors.set(name, error);
    this.#log.error({ policy: name, ...where, error }, "the policy is switched off, and its thread replaced");
  }

  #switch(slot: number, off: 0 | 1): void {
    for (const words of this.#everyStats) words[slot * STAT_WORDS + STAT.off] = off;
  }

  /** The slot has another policy from now on. */
  #clear(slot: number): void {
    for (const words of this.#everyStats) words.fill(0, slot * STAT_WORDS, (slot + 1) * STAT_WORDS);
  }
}
