/**
 * What would change if somebody applied these manifests, or deleted them: the plan of what is live beside the plan of what
 * would be, by the same functions as `sluice plan`. A copy goes in and words come out; nothing that is in force is touched.
 */
import { readManifestText } from "../config/manifest-text.ts";
import { type HeldAddresses, withHeldAddresses } from "../control/held-addresses.ts";
import { type Parts, withParts } from "../control/parts.ts";
import { type Plan, plan } from "../control/plan.ts";
import { type PlanDifference, planDifference } from "../control/plan-difference.ts";
import { formatProblem, type Problem } from "../intent/problem.ts";
import { composeIntent, type SourcedManifest } from "../manifests/compose-intent.ts";

export const TRIAL_MODES = ["apply", "delete"] as const;
export type TrialMode = (typeof TRIAL_MODES)[number];

export interface TrialRequest {
  /** Manifests, YAML or JSON. */
  readonly text: string;
  readonly mode: TrialMode;
  /** What is live. */
  readonly sources: readonly SourcedManifest[];
  readonly held: HeldAddresses;
  readonly parts: Parts;
  /** False where addresses come from somebody else. */
  readonly givesAddresses: boolean;
}

export interface PlanTrial {
  /** What each of the objects would be: `Service/default/web: replaced`. */
  readonly objects: readonly string[];
  readonly difference: PlanDifference;
  /** Nodes that would attract a Service's traffic, where they change. */
  readonly attracting: readonly {
    readonly service: string;
    readonly before: readonly string[];
    readonly after: readonly string[];
  }[];
  /** What is wrong with what was given, and with the plan that would be and is not with that of now. */
  readonly problems: readonly string[];
}

const CALLED = "what you gave";

export function planTrial({ text, mode, sources, held, parts, givesAddresses }: TrialRequest): PlanTrial {
  const given = readManifestText(text, CALLED);
  const live = new Set(sources.map(({ object }) => object));
  const named = new Set(given.manifests.map(({ object }) => object));
  const kept = sources.filter(({ object }) => !named.has(object));
  const planOf = (manifests: readonly SourcedManifest[]): Plan => {
    const { intent, problems } = composeIntent(manifests);
    const settings = givesAddresses ? intent.settings : { ...intent.settings, defaultServiceIpam: "none" as const };
    const planned = plan(withHeldAddresses(withParts({ ...intent, settings }, parts), held));
    return { ...planned, problems: [...problems, ...planned.problems] };
  };
  const before = planOf(sources);
  const after = planOf(mode === "delete" ? kept : [...kept, ...given.manifests]);
  const known = new Set(before.problems.map(formatProblem));
  return {
    objects: [...named].map((object) => `${object}: ${fate(mode, live.has(object))}`),
    difference: planDifference(before, after),
    attracting: attractingChanges(before, after),
    problems: [
      ...given.problems.filter(isTold).map(formatProblem),
      ...after.problems.filter((one) => isTold(one) && !known.has(formatProblem(one))).map(formatProblem),
      ...withoutAddress(after).filter((words) => !withoutAddress(before).includes(words)),
    ],
  };
}

function isTold({ severity }: Problem): boolean {
  return severity !== "note";
}

function fate(mode: TrialMode, isLive: boolean): string {
  if (mode === "delete") return isLive ? "gone" : "not there, so nothing to delete";
  return isLive ? "replaced" : "new";
}

function attractingChanges(before: Plan, after: Plan): PlanTrial["attracting"] {
  const names = [...new Set([...Object.keys(before.services), ...Object.keys(after.services)])].sort();
  return names.flatMap((service) => {
    const was = before.services[service]?.eligibleNodes ?? [];
    const is = after.services[service]?.eligibleNodes ?? [];
    return was.join() === is.join() ? [] : [{ service, before: was, after: is }];
  });
}

function withoutAddress({ services }: Plan): string[] {
  return Object.entries(services).flatMap(([name, { conditions }]) =>
    conditions.filter(({ status }) => status === "False").map(({ message }) => `${name}: ${message}`),
  );
}
