/** What the running gateway says of itself: the JSON of `/v1/status` and `/v1/flows`, the source of every table. */
import type { PeerStatus } from "../bgp/speaker-spec.ts";
import { TOTALS, type TotalName, type VipCounterName } from "../dataplane/counters.ts";
import { DROP_REASONS } from "../dataplane/drop-reason.ts";
import { type FlowState, flowState } from "../dataplane/expiry.ts";
import {
  NO_ROW,
  ROW_BYTES_COUNT,
  ROW_DESTINATION,
  ROW_LAST_SEEN,
  ROW_NEW_DESTINATION,
  ROW_NEW_PORTS,
  ROW_OWNER,
  ROW_PACKETS,
  ROW_PORTS,
  ROW_SOURCE,
  ROW_TAG,
  ROW_WORDS,
  rowCounter,
  TAG_PROTOCOL,
} from "../dataplane/flow-table.ts";
import { PROTOCOL_NUMBER } from "../dataplane/forwarding-table.ts";
import { formatIpv4 } from "../net/ipv4.ts";
import { addressFromRaw, destinationPortFromRaw, sourcePortFromRaw } from "../wire/raw.ts";
import type { XdpOutcome } from "../xdp/xdp-counters.ts";
import type { PortStatus } from "./datapath.ts";
import type { Gateway } from "./gateway.ts";

export interface ServiceStatus extends Record<VipCounterName, number> {
  readonly service: string;
  readonly vip: string;
  readonly backends: readonly string[];
}

export interface GatewayStatus {
  readonly node: string;
  readonly uptimeSeconds: number;
  readonly config: {
    readonly files: readonly string[];
    readonly problems: readonly {
      object: string;
      field: string;
      message: string;
      where: string | null;
      severity: string;
    }[];
  };
  readonly datapath: {
    readonly mode: "userspace";
    readonly epoch: number;
    readonly ports: readonly PortStatus[];
    readonly workers: readonly { alive: boolean; turns: number }[];
    readonly totals: Record<TotalName, number>;
    /** Frames dropped or passed by reason; only those that happened. */
    readonly reasons: Record<string, number>;
    readonly flows: { readonly live: number; readonly rows: number; readonly opened: number; readonly ended: number };
    readonly xdp: Record<XdpOutcome, number>;
  };
  readonly services: readonly ServiceStatus[];
  readonly bgp: readonly PeerStatus[];
}

export interface FlowStatus {
  readonly protocol: string;
  readonly client: string;
  readonly vip: string;
  readonly backend: string;
  readonly service: string;
  readonly state: FlowState;
  readonly idleSeconds: number;
  readonly requestPackets: number;
  readonly requestBytes: number;
  readonly replyPackets: number;
  readonly replyBytes: number;
}

export async function gatewayStatus(gateway: Gateway): Promise<GatewayStatus> {
  const { datapath } = gateway;
  const counters = datapath.counters();
  const totals = Object.fromEntries(TOTALS.map((name, index) => [name, counters.totals[index]!])) as Record<
    TotalName,
    number
  >;
  const reasons = DROP_REASONS.map((name, index) => [name, counters.reasons[index]!] as const);
  return {
    node: gateway.options.node,
    uptimeSeconds: Math.floor((Date.now() - gateway.startedAt) / 1000),
    config: {
      files: gateway.files,
      problems: gateway.problems.filter(({ severity }) => severity !== "note"),
    },
    datapath: {
      mode: "userspace",
      epoch: datapath.epoch,
      ports: datapath.ports,
      workers: datapath.workers(),
      totals,
      reasons: Object.fromEntries(reasons.filter(([, count]) => count > 0)),
      flows: {
        live: totals.flowsOpened - datapath.flowsEnded,
        rows: datapath.flows.capacity,
        opened: totals.flowsOpened,
        ended: datapath.flowsEnded,
      },
      xdp: datapath.xdpCounters(),
    },
    services: [...datapath.ids.vips()].map(([id, vip]) => ({
      service: vip.service,
      vip: `${formatIpv4(vip.address)}:${vip.port}/${vip.protocol}`,
      backends: vip.backends.map((backend) => `${formatIpv4(backend.address)}:${backend.port}`),
      ...datapath.vipCounters(id, counters),
    })),
    bgp: await gateway.peers(),
  };
}

/** The live flows, at most `limit` of them, in no order. */
export function flowList(gateway: Gateway, limit: number): FlowStatus[] {
  const { flows, ids } = gateway.datapath;
  const { words } = flows;
  const now = gateway.datapath.now();
  const list: FlowStatus[] = [];
  for (let row = 0; row < words.length && list.length < limit; row += ROW_WORDS) {
    if (!flows.isLive(row) || flows.isReply(row)) continue;
    const reply = flows.peer(row);
    const seen = Math.max(words[row + ROW_LAST_SEEN]!, reply === NO_ROW ? 0 : words[reply + ROW_LAST_SEEN]!);
    list.push({
      protocol: protocolName(words[row + ROW_TAG]! & TAG_PROTOCOL),
      client: endpoint(words[row + ROW_SOURCE]!, sourcePortFromRaw(words[row + ROW_PORTS]!)),
      vip: endpoint(words[row + ROW_DESTINATION]!, destinationPortFromRaw(words[row + ROW_PORTS]!)),
      backend: endpoint(words[row + ROW_NEW_DESTINATION]!, destinationPortFromRaw(words[row + ROW_NEW_PORTS]!)),
      service: ids.vipById(words[row + ROW_OWNER]! >>> 16)?.service ?? "",
      state: flowState(flows, row, reply),
      idleSeconds: Math.max(0, now - seen),
      requestPackets: rowCounter(words, row + ROW_PACKETS),
      requestBytes: rowCounter(words, row + ROW_BYTES_COUNT),
      replyPackets: reply === NO_ROW ? 0 : rowCounter(words, reply + ROW_PACKETS),
      replyBytes: reply === NO_ROW ? 0 : rowCounter(words, reply + ROW_BYTES_COUNT),
    });
  }
  return list;
}

function endpoint(address: number, port: number): string {
  return `${formatIpv4(addressFromRaw(address))}:${port}`;
}

function protocolName(protocol: number): string {
  return Object.entries(PROTOCOL_NUMBER).find(([, number]) => number === protocol)?.[0] ?? String(protocol);
}
