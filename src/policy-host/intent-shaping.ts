/**
 * What policies make of the Intent: each Service that one with an `intent` hook selects is shown to it, and what it answers
 * takes the Service's place. Only what has changed is shown again. Where a hook fails, what was last made of the Service
 * stays, and the reason is told.
 */
import type { FlowPolicy } from "../intent/flow-policy.ts";
import type { Intent } from "../intent/intent.ts";
import type { Problem } from "../intent/problem.ts";
import { settled } from "../intent/recall.ts";
import { matches } from "../intent/selector.ts";
import { type Service, selectableLabels, serviceKey } from "../intent/service.ts";
import type { ServiceIntent } from "../policy/define-policy.ts";
import type { IntentAnswer, IntentQuestion } from "./control-task.ts";
import type { LoadedPolicy } from "./loaded-policy.ts";
import { intendedService, serviceIntent } from "./service-intent.ts";

/** @returns `null` when nobody could answer. */
type AskIntents = (questions: readonly IntentQuestion[]) => Promise<readonly IntentAnswer[] | null>;

interface Shaped {
  readonly before: Service;
  /** The policies that had a say, and in which version. */
  readonly by: string;
  readonly after: Service;
  /** The answer that `after` follows from; `null` when none was ever good. */
  readonly good: ServiceIntent | null;
  readonly problems: readonly Problem[];
}

interface Shaper {
  readonly policy: FlowPolicy;
  readonly loaded: LoadedPolicy;
}

export class IntentShaping {
  #shaped = new Map<string, Shaped>();
  #services: readonly Service[] = [];

  async shape(
    intent: Intent,
    policies: readonly LoadedPolicy[],
    ask: AskIntents,
  ): Promise<{ readonly intent: Intent; readonly problems: readonly Problem[] }> {
    const shapers = shapersOf(intent, policies);
    if (shapers.length === 0) {
      this.#shaped.clear();
      return { intent, problems: [] };
    }
    const before = this.#shaped;
    this.#shaped = new Map();
    const asked: { readonly service: Service; readonly own: readonly Shaper[] }[] = [];
    for (const service of intent.services) {
      const labels = selectableLabels(service);
      const own = shapers.filter(
        ({ policy: { serviceSelector } }) => !serviceSelector || matches(serviceSelector, labels),
      );
      if (own.length === 0) continue;
      const known = before.get(serviceKey(service));
      if (known?.before === service && known.by === namesOf(own)) this.#shaped.set(serviceKey(service), known);
      else asked.push({ service, own });
    }
    if (asked.length > 0) {
      const questions = asked.map(({ service, own }) => ({
        service: serviceIntent(service),
        slots: own.map(({ loaded }) => loaded.slot),
      }));
      const answers = await askPatiently(questions, shapers.length, ask);
      for (const [index, { service, own }] of asked.entries()) {
        const key = serviceKey(service);
        const good = before.get(key)?.good ?? null;
        this.#shaped.set(key, shapedBy(service, own, answers?.[index] ?? null, good));
      }
    }
    const services = intent.services.map((service) => this.#shaped.get(serviceKey(service))?.after ?? service);
    this.#services = settled(this.#services, services);
    const problems = [...this.#shaped.values()].flatMap((one) => one.problems);
    return { intent: { ...intent, services: this.#services }, problems };
  }
}

/** A policy over which the thread ends is not called again: the others get their answers at the next try. */
async function askPatiently(
  questions: readonly IntentQuestion[],
  tries: number,
  ask: AskIntents,
): Promise<readonly IntentAnswer[] | null> {
  for (let turn = 0; turn <= tries; turn++) {
    const answers = await ask(questions);
    if (answers !== null) return answers;
  }
  return null;
}

function shapersOf({ flowPolicies }: Intent, policies: readonly LoadedPolicy[]): Shaper[] {
  return flowPolicies.flatMap((policy) => {
    const loaded = policies.find(({ name, hooks }) => name === policy.name && hooks.includes("intent"));
    return loaded === undefined ? [] : [{ policy, loaded }];
  });
}

function namesOf(shapers: readonly Shaper[]): string {
  return shapers.map(({ loaded: { name, generation } }) => `${name} ${generation}`).join("\n");
}

function shapedBy(
  service: Service,
  own: readonly Shaper[],
  answer: IntentAnswer | null,
  good: ServiceIntent | null,
): Shaped {
  const base = { before: service, by: namesOf(own) };
  const failures = answer?.failures ?? own.map(({ loaded }) => ({ slot: loaded.slot, message: "it did not answer" }));
  if (answer !== null && failures.length === 0) {
    return { ...base, after: intendedService(service, answer.service), good: answer.service, problems: [] };
  }
  // Without an earlier answer, what the others want.
  const intended = good ?? answer?.service ?? null;
  const after = intended === null ? service : intendedService(service, intended);
  const meanwhile = good === null ? "the Service stays as it is without it" : "what it said before stays in force";
  const problems = failures.map(({ slot, message }): Problem => {
    const policy = own.find(({ loaded }) => loaded.slot === slot)!.policy;
    const text = `its intent() for ${serviceKey(service)}: ${message}; ${meanwhile}`;
    return {
      severity: "error",
      object: `SluicePolicy/${policy.name}`,
      field: "spec",
      message: text,
      where: policy.where,
    };
  });
  return { ...base, after, good, problems };
}
