/**
 * Acceptance cases as data: objects are applied step by step, and after each step the plan is compared. The cluster is
 * played here: what a plan gives is written into the status of the Services, as the running process does.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Plan, plan } from "../src/control/plan.ts";
import type { FamilyPolicy } from "../src/intent/service.ts";
import { requestedFamilies } from "../src/ipam/family-request.ts";
import { composeIntent } from "../src/manifests/compose-intent.ts";
import { readObject } from "../src/manifests/read-object.ts";

interface Scenario {
  readonly id: string;
  readonly area: string;
  readonly name: string;
  readonly cluster: { readonly ipv4?: boolean; readonly ipv6?: boolean };
  readonly steps: readonly Step[];
}

type Step =
  | { readonly op: "apply"; readonly objects: readonly PlainObject[] }
  | { readonly op: "delete"; readonly refs: readonly string[] }
  | { readonly op: "restartController" }
  | {
      readonly op: "familyRequest";
      readonly serviceSpec: FamilySpec;
      readonly expect: Record<"ipv4" | "ipv6", boolean>;
    }
  | {
      readonly op: "expect";
      readonly services?: Record<string, ServiceExpectation>;
      readonly pools?: Record<string, PoolExpectation>;
    };

interface FamilySpec {
  readonly ipFamilies?: readonly ("IPv4" | "IPv6")[];
  readonly ipFamilyPolicy?: FamilyPolicy;
}

interface ServiceExpectation {
  readonly ingress?: readonly string[];
  readonly ingressSet?: readonly string[];
  readonly ingressCount?: number;
  readonly sameIPAs?: string;
  readonly differentIPFrom?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
}

interface PoolExpectation {
  readonly conflict?: boolean;
  readonly total?: number;
  readonly available?: number;
  readonly used?: number;
}

interface PlainObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly status?: object;
}

/** Cases that speak of things in words instead of objects; each is a test of its own beside the code. */
const TOLD_IN_WORDS: Readonly<Record<string, string>> = { "cb-020": "src/control/plan.test.ts has it" };

const { cases } = JSON.parse(readFileSync(join(import.meta.dirname, "data/control-scenarios.json"), "utf8")) as {
  readonly cases: readonly Scenario[];
};

class PlayedCluster {
  readonly #objects = new Map<string, PlainObject>();
  current: Plan = plan(composeIntent([]).intent);

  apply(objects: readonly PlainObject[]): void {
    for (const object of objects) {
      const key = keyOf(object);
      const status = object.status ?? this.#objects.get(key)?.status;
      this.#objects.set(key, status === undefined ? object : { ...object, status });
    }
    this.#settle();
  }

  delete(refs: readonly string[]): void {
    for (const ref of refs) expect(this.#objects.delete(ref)).toBe(true);
    this.#settle();
  }

  #settle(): void {
    const sources = [...this.#objects.values()].map((value) => {
      const { object, manifest, findings } = readObject(value);
      expect(findings).toEqual([]);
      return { object, where: "scenario", manifest: manifest! };
    });
    this.current = plan(composeIntent(sources).intent);
    for (const [service, { ingress }] of Object.entries(this.current.services)) {
      const object = this.#objects.get(`Service ${service}`)!;
      const status = { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } };
      this.#objects.set(`Service ${service}`, { ...object, status });
    }
  }
}

function keyOf({ kind, metadata }: PlainObject): string {
  return `${kind} ${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${metadata.name}`;
}

function expectService(expected: ServiceExpectation, key: string, { services }: Plan): void {
  const { ingress, conditions } = services[key]!;
  if (expected.ingress !== undefined) expect(ingress, key).toEqual(expected.ingress);
  if (expected.ingressSet !== undefined) expect(new Set(ingress), key).toEqual(new Set(expected.ingressSet));
  if (expected.ingressCount !== undefined) expect(ingress, key).toHaveLength(expected.ingressCount);
  if (expected.sameIPAs !== undefined) expect(ingress, key).toEqual(services[expected.sameIPAs]!.ingress);
  if (expected.differentIPFrom !== undefined)
    expect(ingress, key).not.toEqual(services[expected.differentIPFrom]!.ingress);
  if (expected.conditions?.length === 0) expect(conditions, key).toEqual([]);
  for (const condition of expected.conditions ?? []) {
    expect(conditions, key).toContainEqual(expect.objectContaining(condition));
  }
}

function expectPool(expected: PoolExpectation, name: string, { pools }: Plan): void {
  const { conflict, total, available, used } = pools[name]!;
  expect({ conflict, total: Number(total), available: Number(available), used: Number(used) }, name).toMatchObject(
    expected,
  );
}

function expectFamilies(step: Step & { op: "familyRequest" }, { ipv4, ipv6 }: Scenario["cluster"]): void {
  const { ipFamilies = [], ipFamilyPolicy = null } = step.serviceSpec;
  const families = requestedFamilies(
    { families: ipFamilies.map((family) => (family === "IPv4" ? 4 : 6)), familyPolicy: ipFamilyPolicy },
    { ipv4Enabled: ipv4 ?? true, ipv6Enabled: ipv6 ?? true },
  );
  expect({ ipv4: families.includes(4), ipv6: families.includes(6) }).toEqual(step.expect);
}

function play(scenario: Scenario): void {
  const cluster = new PlayedCluster();
  for (const step of scenario.steps) {
    switch (step.op) {
      case "apply":
        cluster.apply(step.objects);
        break;
      case "delete":
        cluster.delete(step.refs);
        break;
      case "restartController":
        break;
      case "familyRequest":
        expectFamilies(step, scenario.cluster);
        break;
      case "expect":
        for (const [key, expected] of Object.entries(step.services ?? {}))
          expectService(expected, key, cluster.current);
        for (const [name, expected] of Object.entries(step.pools ?? {})) expectPool(expected, name, cluster.current);
        break;
    }
  }
}

describe("control scenarios", () => {
  for (const scenario of cases) {
    const reason = TOLD_IN_WORDS[scenario.id];
    test.skipIf(reason !== undefined)(
      `${scenario.id} ${scenario.name}${reason === undefined ? "" : ` (${reason})`}`,
      () => play(scenario),
    );
  }
});
