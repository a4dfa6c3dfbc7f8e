/** What the running gateway says of itself: the JSON of `/v1/status` and `/v1/flows`, the source of every table. */
import type { PeerStatus } from "../bgp/speaker-spec.ts";
import { reasonCounts, TOTALS, type TotalName, type VipCounterName } from "../dataplane/counters.ts";
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, newFlowKey } from "../dataplane/flow-key.ts";
import { type FlowState, flowState } from "../dataplane/flow-state.ts";
import { type FlowTable, NO_ROW, rowCounter, TAG_PROTOCOL } from "../dataplane/flow-table.ts";
import { PROTOCOL_NUMBER } from "../dataplane/forwarding-layout.ts";
import type { ClusterStatus } from "../kubernetes/cluster-member.ts";
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import { destinationPortFromRaw, loadAddress, sourcePortFromRaw } from "../wire/raw.ts";
import type { OffloadReport } from "../xdp/offload-check.ts";
import type { XdpOutcome } from "../xdp/xdp-counters.ts";
import type { DrainProgress, DrainState } from "./announcer.ts";
import type { PortStatus } from "./datapath.ts";
import type { SynCookiesStatus } from "./door-requests.ts";
import type { Gateway } from "./gateway.ts";
import type { OpeningStatus } from "./opening-watch.ts";
import type { DatapathMode } from "./run-options.ts";

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
    readonly mode: DatapathMode;
    readonly epoch: number;
    /** Who opens new flows, since when and why. */
    readonly opening: OpeningStatus;
    /** Whether clients must show that their addresses are theirs, since when and who asks for it. */
    readonly synCookies: SynCookiesStatus;
    /** With the reasons for which frames that came in by it were dropped or passed. */
    readonly ports: readonly (PortStatus & { readonly reasons: Record<string, number> })[];
    readonly workers: readonly { alive: boolean; turns: number }[];
    readonly totals: Record<TotalName, number>;
    /** Frames dropped or passed by reason; only those that happened. */
    readonly reasons: Record<string, number>;
    readonly flows: { readonly live: number; readonly rows: number; readonly opened: number; readonly ended: number };
    readonly xdp: Record<XdpOutcome, number>;
    /** What the interfaces' settings would break, as it was at the start. */
    readonly offloads: OffloadReport;
  };
  readonly services: readonly ServiceStatus[];
  /** Who gives the addresses, and what of the cluster can't be followed; `null` without a cluster. */
  readonly kubernetes: ClusterStatus | null;
  readonly bgp: readonly PeerStatus[];
  /** Whether an operator moves traffic away from this node. */
  readonly drain: DrainState;
}

/** How far a drain has come: what routers still have of us, and what still flows. */
export interface DrainReport extends DrainProgress {
  readonly flows: number;
}

export async function drainReport({ announcer, datapath }: Gateway): Promise<DrainReport> {
  return { ...(await announcer.progress()), flows: datapath.flowsLive };
}

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

export async function gatewayStatus(gateway: Gateway): Promise<GatewayStatus> {
  const { datapath } = gateway;
  const { flowsLive } = datapath;
  const counters = datapath.counters();
  const totals = Object.fromEntries(TOTALS.map((name, index) => [name, counters.totals[index]!])) as Record<
    TotalName,
    number
  >;
  return {
    node: gateway.options.node,
    uptimeSeconds: Math.floor((Date.now() - gateway.startedAt) / 1000),
    config: {
      files: gateway.files,
      problems: gateway.problems.filter(({ severity }) => severity !== "note"),
    },
    datapath: {
      mode: datapath.mode,
      epoch: datapath.epoch,
      opening: datapath.opening,
      synCookies: datapath.policies.synCookies,
      ports: datapath.ports.map((port) => ({ ...port, reasons: reasonCounts(counters, port.id) })),
      workers: datapath.workers(),
      totals,
      reasons: reasonCounts(counters),
      flows: {
        live: flowsLive,
        rows: datapath.flows[0]!.capacity,
        opened: totals.flowsOpened,
        // The one is counted a moment after the other.
        ended: Math.max(0, totals.flowsOpened + datapath.flowsTakenOver - flowsLive),
      },
      xdp: datapath.xdpCounters(),
      offloads: datapath.offloads,
    },
    services: [...datapath.ids.vips()].map(([id, vip]) => ({
      service: vip.service,
      vip: `${endpoint(vip.address, vip.port)}/${vip.protocol}`,
      backends: vip.backends.map((backend) => endpoint(backend.address, backend.port)),
      ...datapath.vipCounters(id, counters),
    })),
    kubernetes: gateway.cluster,
    bgp: await gateway.peers(),
    drain: gateway.announcer.drainState,
  };
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
  const seen = Math.max(words[row + layout.lastSeen]!, reply === NO_ROW ? 0 : words[reply + layout.lastSeen]!);
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
    idleSeconds: Math.max(0, datapath.now() - seen),
    requestPackets: rowCounter(words, row + layout.packets),
    requestBytes: rowCounter(words, row + layout.bytes),
    replyPackets: reply === NO_ROW ? 0 : rowCounter(words, reply + layout.packets),
    replyBytes: reply === NO_ROW ? 0 : rowCounter(words, reply + layout.bytes),
  };
}

/** `192.0.2.1:80`, `[2001:db8::1]:80`. */
function endpoint(address: IpAddress, port: number): string {
  const text = formatIpAddress(address);
  return address.family === 4 ? `${text}:${port}` : `[${text}]:${port}`;
}

function protocolName(protocol: number): string {
  return Object.entries(PROTOCOL_NUMBER).find(([, number]) => number === protocol)?.[0] ?? String(protocol);
}
