/**
 * Acceptance cases as data: objects are applied step by step, and after each step the plan is compared. The cluster is
 * played by a fixture: what a plan gives is written into the status of the Services, as the running process does.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { rankCandidates } from "../src/control/l2-owners.ts";
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
  | { readonly op: "makeLeader"; readonly node: string }
  | {
      readonly op: "applyInOrder";
      readonly order: readonly string[];
      readonly objects: Record<string, PlainObject | Device>;
    }
  | {
      readonly op: "sortCandidates";
      readonly candidates: readonly string[];
      readonly ip: string;
      readonly scores?: Record<string, number>;
      readonly expect: readonly string[];
    }
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

interface Device {
  readonly node: string;
  readonly name: string;
}

interface FamilySpec {
  readonly ipFamilies?: readonly ("IPv4" | "IPv6")[];
  readonly ipFamilyPolicy?: FamilyPolicy;
}

/** Cases that speak of things in words instead of objects; each is a test of its own beside the code. */
const TOLD_IN_WORDS: Readonly<Record<string, string>> = { "cb-020": "src/control/plan.test.ts has it" };

const { cases } = JSON.parse(readFileSync(join(import.meta.dirname, "data/control-scenarios.json"), "utf8")) as {
  readonly cases: readonly Scenario[];
};

function expectFamilies(step: Step & { op: "familyRequest" }, { ipv4, ipv6 }: Scenario["cluster"]): void {
  const { ipFamilies = [], ipFamilyPolicy = null } = step.serviceSpec;
  const families = requestedFamilies(
    { families: ipFamilies.map((family) => (family === "IPv4" ? 4 : 6)), familyPolicy: ipFamilyPolicy },
    { ipv4Enabled: ipv4 ?? true, ipv6Enabled: ipv6 ?? true },
  );
  expect({ ipv4: families.includes(4), ipv6: families.includes(6) }).toEqual(step.expect);
}

function expectOrder({ candidates, scores = {}, ip, expect: order }: Step & { op: "sortCandidates" }): void {
  const scored = candidates.map((node) => ({ node, score: scores[node] ?? 0 }));
  expect(rankCandidates(scored, ip).map(({ node }) => node)).toEqual(order);
}

function withoutL2({ l2: _set, l2Count: _count, l2Owner: _owner, ...rest }: Expectation): Expectation {
  return rest;
}

function play(scenario: Scenario): void {
  const nodes = scenario.cluster.nodes ?? [];
  const cluster = new PlayedCluster(nodes);
  const observed = scenario.cluster.observe ?? nodes[0]?.name ?? "";
  const firstLeader = scenario.steps.findIndex(({ op }) => op === "makeLeader");
  for (const [index, step] of scenario.steps.entries()) {
    // Nobody has a lease to win here: the only candidate is the owner from the start.
    const isBeforeElection = index < firstLeader;
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
      case "applyInOrder":
        for (const name of step.order) {
          const one = step.objects[name]!;
          if ("kind" in one) cluster.apply([one]);
          else cluster.addDevice(one.node, one.name);
        }
        break;
      case "sortCandidates":
        expectOrder(step);
        break;
      case "makeLeader":
        expect(nodes.map(({ name }) => name)).toEqual([step.node]);
        break;
      case "restartController":
        break;
      case "familyRequest":
        expectFamilies(step, scenario.cluster);
        break;
      case "expect":
        expectState(isBeforeElection ? withoutL2(step) : step, cluster.current, observed);
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
    const reason = TOLD_IN_WORDS[scenario.id] ?? null;
    test.skipIf(reason !== null)(`${scenario.id} ${scenario.name}${reason === null ? "" : ` (${reason})`}`, () =>
      play(scenario),
    );
  }
});
