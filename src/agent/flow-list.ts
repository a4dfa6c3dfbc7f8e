/** The live flows as the running gateway tells of them: the JSON of `/v1/flows`. */
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, newFlowKey } from "../dataplane/flow-key.ts";
import { type FlowState, flowState, lastSeen } from "../dataplane/flow-state.ts";
import { type FlowTable, NO_ROW, rowCounter, TAG_PROTOCOL } from "../dataplane/flow-table.ts";
import { PROTOCOL_NUMBER } from "../dataplane/forwarding-layout.ts";
import { destinationPortFromRaw, loadAddress, sourcePortFromRaw } from "../wire/raw.ts";
import type { Gateway } from "./gateway.ts";
import { endpoint } from "./status.ts";

export interface FlowStatus {
  readonly protocol: string;
  readonly client: string;
  readonly vip: string;
  readonly backend: string;
  readonly service: string;
  readonly state: FlowState;
  /** The kernel leaves what is not plain to the workers all the same. */
  readonly forwardedBy: "kernel" | "workers";
  /** Which has decided about it; `null` for none. */
  readonly policy: string | null;
  readonly idleSeconds: number;
  readonly requestPackets: number;
  readonly requestBytes: number;
  readonly replyPackets: number;
  readonly replyBytes: number;
}

/** The live flows, at most `limit` of them, in no order. */
export function flowList(gateway: Gateway, limit: number): FlowStatus[] {
  const list: FlowStatus[] = [];
  for (const flows of gateway.datapath.flows) {
    const { words, layout } = flows;
    for (let row = 0; row < words.length && list.length < limit; row += layout.words) {
      if (flows.isLive(row) && !flows.isReply(row)) list.push(flowStatus(gateway, flows, row));
    }
  }
  return list;
}

function flowStatus({ datapath }: Gateway, flows: FlowTable, row: number): FlowStatus {
  const { words, layout } = flows;
  const key = newFlowKey();
  const translated = newFlowKey();
  flows.loadKey(row, key);
  flows.loadTranslation(row, translated);
  const reply = flows.peer(row);
  const at = (place: number, ports: (raw: number) => number, of = key) =>
    endpoint(loadAddress(of, place), ports(of[KEY_PORTS]!));
  return {
    protocol: protocolName(words[row + layout.tag]! & TAG_PROTOCOL),
    client: at(KEY_SOURCE, sourcePortFromRaw),
    vip: at(KEY_DESTINATION, destinationPortFromRaw),
    backend: at(KEY_DESTINATION, destinationPortFromRaw, translated),
    service: datapath.ids.vipById(words[row + layout.owner]! >>> 16)?.service ?? "",
    state: flowState(flows, row, reply),
    forwardedBy: flows.isOffloaded(row) ? "kernel" : "workers",
    policy: datapath.policies.names.name(flows.policyOf(row)),
    idleSeconds: Math.max(0, datapath.now() - lastSeen(flows, row, reply)),
    requestPackets: rowCounter(words, row + layout.packets),
    requestBytes: rowCounter(words, row + layout.bytes),
    replyPackets: reply === NO_ROW ? 0 : rowCounter(words, reply + layout.packets),
    replyBytes: reply === NO_ROW ? 0 : rowCounter(words, reply + layout.bytes),
  };
}

function protocolName(protocol: number): string {
  return Object.entries(PROTOCOL_NUMBER).find(([, number]) => number === protocol)?.[0] ?? String(protocol);
}
