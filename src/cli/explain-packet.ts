/** `sluice explain packet`: what the running process would do with a packet, for people or as JSON. */
import type { PacketExplanation } from "../agent/packet-fate.ts";
import { ask } from "../api/client.ts";
import { wrapText } from "./text-table.ts";

export interface PacketQuestion {
  readonly source: string;
  readonly sourcePort: string;
  readonly destination: string;
  readonly destinationPort: string;
  readonly protocol: string;
  /** The interface that it comes in by; the uplink unless told. */
  readonly from: string | null;
}

const LINE_WIDTH = 100;

export async function runExplainPacket(
  { from, ...question }: PacketQuestion,
  { socket, output }: { socket: string; output: "json" | "table" },
): Promise<string> {
  const query = new URLSearchParams({ ...question, ...(from === null ? {} : { from }) });
  const explanation = await ask<PacketExplanation>(socket, `/v1/explain/packet?${query}`);
  return output === "json" ? `${JSON.stringify(explanation, null, 2)}\n` : packetText(question, explanation);
}

export function packetText(question: Omit<PacketQuestion, "from">, explanation: PacketExplanation): string {
  const { from, service, flow, verdict, reason, meaning, becomes, leavesBy, asksPolicies } = explanation;
  const lines = [
    `${question.protocol.toUpperCase()} from ${question.source} port ${question.sourcePort} to ` +
      `${question.destination} port ${question.destinationPort}, in by ${from}: ${verdict}.`,
    ...(service === null ? [] : [`It is for the Service ${service}.`]),
    flow === null
      ? "No live flow has it, so it is looked at as the first packet of a new one."
      : `It belongs to a live flow (${flow.state}), as a ${flow.isReply ? "reply" : "request"}; the ${flow.by} forwards it.`,
    ...(reason === null ? [] : [`Reason: ${reason}: ${meaning}.`]),
    ...(becomes === null ? [] : [`It becomes ${becomes.source} > ${becomes.destination}.`]),
    ...(leavesBy === null ? [] : [`It leaves by ${leavesBy.interface} to ${leavesBy.mac}.`]),
    ...(asksPolicies ? ["Policies are asked about each new flow of this Service, and may decide otherwise."] : []),
  ];
  return `${lines.flatMap((line) => wrapText(line, LINE_WIDTH)).join("\n")}\n`;
}
