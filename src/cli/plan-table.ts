/** A plan for people: short tables, then what is wrong, then what would change. */

import type { Plan, ServicePlan } from "../control/plan.ts";
import type { PlanDifference } from "../control/plan-difference.ts";
import { formatProblem } from "../intent/problem.ts";
import { textTable, wrapText } from "./text-table.ts";

const LINE_WIDTH = 100;

export function planTable(plan: Plan, difference: PlanDifference | null): string {
  const sections = [
    servicesSection(plan),
    notEligibleSection(plan),
    poolsSection(plan),
    sessionsSection(plan),
    linksSection(plan),
    problemsSection(plan),
    difference === null ? [] : differenceSection(difference),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function servicesSection(plan: Plan): string[] {
  const rows = Object.entries(plan.services)
    .filter(([, service]) => isServed(service))
    .map(([name, service]) => [
      name,
      service.ingress.join(",") || "-",
      service.pool ?? "-",
      service.eligibleNodes.join(",") || "-",
      service.conditions.map(({ reason }) => reason).join(",") || "-",
    ]);
  if (rows.length === 0) return ["No Service of type LoadBalancer."];
  return textTable(["SERVICE", "ADDRESSES", "POOL", "ELIGIBLE NODES", "STATE"], rows, LINE_WIDTH);
}

/** Services of other types are in the plan to say that they get nothing. */
function isServed(service: ServicePlan): boolean {
  return [service.ingress, service.conditions, service.events, Object.keys(service.notEligible)].some(
    (list) => list.length > 0,
  );
}

/** Nodes that share a reason share a line, or a large cluster would fill the screen with one sentence. */
function notEligibleSection(plan: Plan): string[] {
  const lines = Object.entries(plan.services).flatMap(([name, service]) => {
    const byReason = Map.groupBy(Object.entries(service.notEligible), ([, reason]) => reason);
    const failures = service.conditions.filter(({ status }) => status === "False").map(({ message }) => message);
    const released = service.events.map(({ message }) => message);
    const nodes = [...byReason].map(
      ([reason, entries]) => `not on ${nodeList(entries.map(([node]) => node))}: ${reason}`,
    );
    return [...failures, ...released, ...nodes].flatMap((text) => wrapText(`${name}: ${text}`, LINE_WIDTH));
  });
  return lines.length === 0 ? [] : ["WHY NOT", ...lines];
}

function nodeList(nodes: readonly string[]): string {
  return nodes.length <= 3 ? nodes.join(", ") : `${nodes.slice(0, 3).join(", ")} and ${nodes.length - 3} more`;
}

function poolsSection(plan: Plan): string[] {
  const rows = Object.entries(plan.pools).map(([name, pool]) => [
    name,
    pool.total,
    pool.available,
    pool.used,
    pool.conflict ? "yes" : "no",
  ]);
  return rows.length === 0 ? [] : textTable(["POOL", "TOTAL", "AVAILABLE", "USED", "CONFLICT"], rows, LINE_WIDTH);
}

function sessionsSection(plan: Plan): string[] {
  const rows = Object.entries(plan.nodes).flatMap(([node, { bgp }]) =>
    bgp.flatMap(({ localASN, routerID, peers }) =>
      peers.map((peer) => [
        node,
        String(localASN),
        routerID,
        peer.name,
        String(peer.asn),
        peer.routes.map(({ prefix }) => prefix).join(",") || "-",
      ]),
    ),
  );
  if (rows.length === 0) return ["No BGP session."];
  return textTable(["NODE", "LOCAL AS", "ROUTER ID", "PEER", "PEER AS", "ROUTES"], rows, LINE_WIDTH);
}

function linksSection(plan: Plan): string[] {
  const rows = Object.entries(plan.nodes).flatMap(([node, { l2 }]) =>
    l2.map(({ address, interfaces, owner, service }) => [
      address,
      service,
      node,
      interfaces.join(",") || "any",
      owner ? "owner" : "follows",
    ]),
  );
  if (rows.length === 0) return [];
  return textTable(["ADDRESS ON LINKS", "SERVICE", "NODE", "INTERFACES", "ROLE"], rows.sort(), LINE_WIDTH);
}

function problemsSection(plan: Plan): string[] {
  const lines = plan.problems.flatMap((problem) =>
    wrapText(`${problem.severity}: ${formatProblem(problem)}`, LINE_WIDTH),
  );
  return lines.length === 0 ? [] : ["PROBLEMS", ...lines];
}

function differenceSection({ addresses, routes, owners, moves }: PlanDifference): string[] {
  const list = (values: readonly string[]) => values.join(",") || "none";
  const lines = [
    ...addresses.map(({ service, before, after }) => `address of ${service}: ${list(before)} -> ${list(after)}`),
    ...routes.map(({ node, peer, prefix, change }) => `route ${prefix} from ${node} to ${peer}: ${change}`),
    ...owners.map(({ address, before, after }) => `owner of ${address}: ${before ?? "none"} -> ${after ?? "none"}`),
  ];
  const verdict = moves ? "Something that is live would move." : "Nothing that is live would move.";
  return ["CHANGES", ...lines.flatMap((line) => wrapText(line, LINE_WIDTH)), verdict];
}
