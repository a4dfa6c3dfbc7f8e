/**
 * Acceptance cases as data: objects are applied step by step, and after each step the plan is compared. The cluster is
 * played by a fixture: what a plan gives is written into the status of the Services, as the running process does.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { serviceBgpStatuses } from "../src/control/service-bgp-status.ts";
import type { FamilyPolicy } from "../src/intent/service.ts";
import { requestedFamilies } from "../src/ipam/family-request.ts";
import { type NodeFields, type PlainObject, PlayedCluster } from "./fixtures/played-cluster.ts";
import { type Expectation, expectState } from "./fixtures/scenario-expectation.ts";

interface Scenario {
  readonly id: string;
  readonly area: string;
  readonly name: string;
  readonly cluster: {
    readonly ipv4?: boolean;
    readonly ipv6?: boolean;
    readonly nodes?: readonly NodeFields[];
    readonly observe?: string;
  };
  readonly steps: readonly Step[];
}

type Step =
  | { readonly op: "apply" | "replaceAllPools"; readonly objects: readonly PlainObject[] }
  | { readonly op: "delete"; readonly refs: readonly string[] }
  | { readonly op: "restartController" }
  | { readonly op: "labelNode"; readonly node: string; readonly labels: Record<string, string> }
  | {
      readonly op: "endpoints";
      readonly service: string;
      readonly on?: readonly string[];
      readonly conditions?: object;
      readonly list?: readonly { readonly node: string; readonly conditions: object }[];
    }
  | {
      readonly op: "familyRequest";
      readonly serviceSpec: FamilySpec;
      readonly expect: Record<"ipv4" | "ipv6", boolean>;
    }
  | ({ readonly op: "expect" } & Expectation);

interface FamilySpec {
  readonly ipFamilies?: readonly ("IPv4" | "IPv6")[];
  readonly ipFamilyPolicy?: FamilyPolicy;
}

/** Cases that speak of things in words instead of objects; each is a test of its own beside the code. */
const TOLD_IN_WORDS: Readonly<Record<string, string>> = { "cb-020": "src/control/plan.test.ts has it" };

const { cases } = JSON.parse(readFileSync(join(import.meta.dirname, "data/control-scenarios.json"), "utf8")) as {
  readonly cases: readonly Scenario[];
};

function reasonToSkip({ id, area }: Scenario): string | null {
  if (TOLD_IN_WORDS[id] !== undefined) return TOLD_IN_WORDS[id];
  return area === "l2" || area === "metallb-l2" ? "announcing on a link is not there yet" : null;
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
  const nodes = scenario.cluster.nodes ?? [];
  const cluster = new PlayedCluster(nodes);
  const observed = scenario.cluster.observe ?? nodes[0]?.name ?? "";
  for (const step of scenario.steps) {
    switch (step.op) {
      case "apply":
        cluster.apply(step.objects);
        break;
      case "replaceAllPools":
        cluster.replacePools(step.objects);
        break;
      case "delete":
        cluster.delete(step.refs);
        break;
      case "labelNode":
        cluster.labelNode(step.node, step.labels);
        break;
      case "endpoints":
        cluster.addEndpoints(
          step.service,
          step.list ?? (step.on ?? []).map((node) => ({ node, conditions: step.conditions ?? {} })),
        );
        break;
      case "restartController":
        break;
      case "familyRequest":
        expectFamilies(step, scenario.cluster);
        break;
      case "expect":
        expectState(step, cluster.current, observed);
        for (const { kind, status } of step.statusObjects ?? []) {
          expect(kind).toBe("ServiceBGPStatus");
          expect(serviceBgpStatuses(cluster.current)).toContainEqual(status);
        }
        break;
    }
  }
}

describe("control scenarios", () => {
  for (const scenario of cases) {
    const reason = reasonToSkip(scenario);
    test.skipIf(reason !== null)(`${scenario.id} ${scenario.name}${reason === null ? "" : ` (${reason})`}`, () =>
      play(scenario),
    );
  }
});
