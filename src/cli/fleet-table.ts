/** `sluice fleet`: a line for each node, and then what is wrong where. */
import type { BareService } from "../fleet/bare-services.ts";
import type { FleetMember, FleetStatus } from "../fleet/fleet.ts";
import { textTable, wrapText } from "./text-table.ts";

const LINE_WIDTH = 100;

export function fleetTable({ members, asksOthers, moreNodes, bare }: FleetStatus): string {
  const heading = ["NODE", "STATE", "SESSIONS", "DATAPATH", "PORTS", "FLOWS", "FORWARDED", "DROPPED", "PROBLEMS"];
  const lines = [
    ...textTable(heading, members.map(rowOf), LINE_WIDTH),
    ...[...members.flatMap(troubleOf), ...bare.map(bareText)].flatMap((line) => wrapText(line, LINE_WIDTH)),
    ...(moreNodes === 0 ? [] : [`${moreNodes} more nodes were not asked`]),
    ...(asksOthers ? [] : ["other nodes are asked with `sluice run --fleet`"]),
  ];
  return `${lines.join("\n")}\n`;
}

function rowOf({ node, report }: FleetMember): string[] {
  if (report === null) return [node, "NO ANSWER", "", "", "", "", "", "", ""];
  const up = report.sessions.filter(({ state }) => state === "Established").length;
  return [
    node,
    report.drain === "serving" ? "serving" : "drained",
    `${up} of ${report.sessions.length}`,
    report.mode,
    report.ports.map(({ name, mode }) => `${name} ${mode}`).join(", "),
    String(report.liveFlows),
    String(report.framesForwarded),
    String(report.framesDropped),
    String(report.problems.length),
  ];
}

function troubleOf({ node, report, trouble }: FleetMember): string[] {
  if (report === null) return [`${node}: ${trouble}`];
  const away = report.sessions.filter(({ state }) => state !== "Established");
  return [
    ...(report.deadWorkers === 0 ? [] : [`${node}: ${report.deadWorkers} workers are dead`]),
    ...away.map(({ name, state, lastError }) => `${node}: session to ${name} is ${state}: ${lastError ?? "no error"}`),
    ...report.problems.map((problem) => `${node}: ${problem}`),
  ];
}

function bareText({ name, vips }: BareService): string {
  return `${name}: no backend takes new connections to ${vips.join(", ")}, see \`sluice explain service ${name}\``;
}
