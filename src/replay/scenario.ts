/**
 * A replay scenario: the node, its services and the frames to feed, as JSON (one object per line). Field names are those
 * of the scenario files that people exchange; nobody else reads them. What this build can't do is refused with a sentence,
 * so that nobody takes a silent "pass" for an answer.
 */
import { PROBE_LIMIT } from "../dataplane/flow-table.ts";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import { packetStep } from "./packet-step.ts";
import { type Json, list, number, object, ScenarioError } from "./scenario-field.ts";
import { parseNeighbors, parseNode, type ScenarioNode } from "./scenario-node.ts";
import { parseSpec } from "./scenario-spec.ts";

export type Step =
  | {
      readonly kind: "frame";
      readonly port: number;
      readonly bytes: Uint8Array;
      /** It was given in words, so its result is said in words too. */
      readonly inWords?: true;
    }
  | { readonly kind: "services"; readonly spec: ForwardingSpec }
  | { readonly kind: "neighbors"; readonly neighbors: ScenarioNode["neighbors"] }
  | { readonly kind: "advance"; readonly seconds: number };

/** A policy module that is asked about new flows. */
export interface ScenarioPolicy {
  readonly name: string;
  /** As in a SluicePolicy: `builtin:NAME`, or a path. */
  readonly module: string;
  readonly onError: "allow" | "deny";
  readonly options: Readonly<Record<string, unknown>>;
}

export interface Scenario {
  readonly id: string;
  readonly node: ScenarioNode;
  readonly spec: ForwardingSpec;
  readonly steps: readonly Step[];
  /** In the order in which they are asked, about the flows of every VIP that doesn't name its own. */
  readonly policies: readonly ScenarioPolicy[];
  /** Of each family's flow table; a flow takes two. */
  readonly flowRows: number;
}

const USUAL_FLOW_ROWS = 1 << 12;
const MOST_FLOW_ROWS = 1 << 16;

export function parseScenario(value: unknown): Scenario {
  const scenario = object(value, "scenario");
  const id = String(scenario["id"] ?? "");
  const rawNode = object(scenario["node"], "node");
  const node = parseNode(rawNode);
  const policies = list(scenario["policies"] ?? [], "policies").map((policy, index) =>
    parsePolicy(object(policy, `policies[${index}]`), `policies[${index}]`),
  );
  const names = policies.map(({ name }) => name);
  const specOf = (vips: unknown) => parseSpec(vips, rawNode, scenario, names);
  return {
    id,
    node,
    spec: specOf(scenario["vips"]),
    steps: list(scenario["frames"], "frames").map((step, index) =>
      parseStep(object(step, `frames[${index}]`), index, node, specOf),
    ),
    policies,
    flowRows: parseFlowRows(scenario["flow_rows"] ?? USUAL_FLOW_ROWS),
  };
}

function parseFlowRows(value: unknown): number {
  const rows = number(value, "flow_rows");
  if (Number.isInteger(Math.log2(rows)) && rows >= PROBE_LIMIT && rows <= MOST_FLOW_ROWS) return rows;
  throw new ScenarioError(`flow_rows: must be a power of two from ${PROBE_LIMIT} to ${MOST_FLOW_ROWS}, not ${rows}`);
}

function parsePolicy(policy: Json, where: string): ScenarioPolicy {
  const module = policy["module"];
  if (typeof module !== "string") throw new ScenarioError(`${where}.module: must be builtin:NAME or a path`);
  const onError = policy["onError"] ?? "allow";
  if (onError !== "allow" && onError !== "deny") throw new ScenarioError(`${where}.onError: must be allow or deny`);
  return {
    name: String(policy["name"] ?? module),
    module,
    onError,
    options: object(policy["options"] ?? {}, `${where}.options`),
  };
}

function parseStep(step: Json, index: number, node: ScenarioNode, specOf: (vips: unknown) => ForwardingSpec): Step {
  const where = `frames[${index}]`;
  if ("vips" in step) return { kind: "services", spec: specOf(step["vips"]) };
  if ("neighbors" in step) {
    return { kind: "neighbors", neighbors: parseNeighbors(step["neighbors"], `${where}.neighbors`) };
  }
  if ("advanceSeconds" in step)
    return { kind: "advance", seconds: number(step["advanceSeconds"], `${where}.advanceSeconds`) };
  const port = node.interfaces.findIndex(({ name }) => name === step["iface"]);
  if (port < 0) throw new ScenarioError(`${where}.iface: the node has no interface ${JSON.stringify(step["iface"])}`);
  if ("packet" in step) {
    const bytes = packetStep(object(step["packet"], `${where}.packet`), node.interfaces[port]!.mac);
    if (typeof bytes === "string") throw new ScenarioError(`${where}.packet.${bytes}`);
    return { kind: "frame", port, bytes, inWords: true };
  }
  const hex = step["frame"];
  if (typeof hex !== "string" || hex.length % 2 !== 0 || /[^0-9a-fA-F]/.test(hex)) {
    throw new ScenarioError(`${where}.frame: must be an even number of hex digits`);
  }
  return { kind: "frame", port, bytes: Uint8Array.from(hex.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16)) };
}
