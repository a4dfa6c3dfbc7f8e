/**
 * The policies of this node: loaded from what the operator wants, given to the workers with each forwarding table, and
 * what they did in there: answers, errors, reasons.
 */
import type { Logger } from "pino";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import type { IdRegistry } from "../dataplane/id-registry.ts";
import { MAX_POLICIES } from "../dataplane/new-flow-policies.ts";
import type { FlowPolicy } from "../intent/flow-policy.ts";
import { ANSWER_WORDS } from "../policy/new-flow-view.ts";
import { type PolicyStats, policyStatsMemory, STAT, STAT_WORDS, sumPolicyStats } from "../policy/policy-stats.ts";
import { directoryEntries } from "../policy/service-directory.ts";
import type { PolicyScene } from "../policy-host/loaded-policy.ts";
import { type LoadOutcome, PolicyHost, type PolicyState } from "../policy-host/policy-host.ts";
import type { PolicyNames } from "../trace/describe-frame.ts";
import type { WorkerNews } from "../worker/task.ts";

export interface PolicyStatus extends PolicyState {
  readonly stats: PolicyStats;
  /** The newest error of its hooks; `null` when there was none. */
  readonly lastError: string | null;
  /** For which it has denied flows. */
  readonly reasons: readonly string[];
}

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
  /** By worker: given to each as its `policyStats`. */
  readonly stats: readonly Float64Array[];
  readonly #host: PolicyHost;
  readonly #log: Logger;
  readonly #generations = new Map<string, number>();
  readonly #lastErrors = new Map<string, string>();
  readonly #reasons = new Map<string, Set<string>>();
  /** By policy and worker: the reasons by the numbers that the worker gives them now. */
  readonly #numbered = new Map<string, string[]>();

  /** @param folder for copies of modules: emptied first, removed at the end. */
  constructor(workers: number, folder: string, log: Logger) {
    this.#host = new PolicyHost(folder);
    this.stats = Array.from({ length: workers }, () => policyStatsMemory(MAX_POLICIES));
    this.#log = log;
  }

  /** Called when a module, or a file that one reads, has changed on disk. */
  onChange(listener: () => void): void {
    this.#host.onChange(listener);
  }

  async load(policies: readonly FlowPolicy[]): Promise<LoadOutcome> {
    const before = new Set(this.#generations.keys());
    const outcome = await this.#host.load(policies);
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

  close(): void {
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
    this.#lastErrors.set(policy, news.message);
    if (news.isOff) {
      this.#log.error({ policy, worker, error: news.message }, "the policy fails again and again: it is switched off");
    } else {
      this.#log.warn({ policy, worker, error: news.message }, "the policy has failed");
    }
  }

  /** A hook has not returned: from now on it is not called any more. */
  stuck(worker: number, slot: number): void {
    this.#switch(slot, 1);
    const name = this.#host.status().find((state) => state.slot === slot)?.name ?? String(slot);
    this.#lastErrors.set(name, "a hook has not returned");
    this.#log.error(
      { policy: name, worker },
      "a hook of the policy does not return: it is switched off, the worker replaced",
    );
  }

  status(): PolicyStatus[] {
    return this.#host.status().map((state) => ({
      ...state,
      stats: sumPolicyStats(this.stats, state.slot),
      lastError: this.#lastErrors.get(state.name) ?? null,
      reasons: [...(this.#reasons.get(state.name) ?? [])],
    }));
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

  #switch(slot: number, off: 0 | 1): void {
    for (const words of this.stats) words[slot * STAT_WORDS + STAT.off] = off;
  }

  /** The slot has another policy from now on. */
  #clear(slot: number): void {
    for (const words of this.stats) words.fill(0, slot * STAT_WORDS, (slot + 1) * STAT_WORDS);
  }
}
