/** What the running gateway says of itself: the JSON of `/v1/status`, the source of most tables. */
import type { PeerStatus } from "../bgp/speaker-spec.ts";
import { takesNewFlows } from "../dataplane/compiled-vip.ts";
import { reasonCounts, TOTALS, type TotalName, type VipCounterName } from "../dataplane/counters.ts";
import type { BackendSpec } from "../dataplane/forwarding-spec.ts";
import type { ClusterStatus } from "../kubernetes/cluster-member.ts";
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import type { OffloadReport } from "../xdp/offload-check.ts";
import type { XdpOutcome } from "../xdp/xdp-counters.ts";
import type { DrainProgress, DrainState } from "./announcer.ts";
import type { PortStatus } from "./datapath.ts";
import type { SynCookiesStatus } from "./door-requests.ts";
import type { Gateway } from "./gateway.ts";
import type { OpeningStatus } from "./opening-watch.ts";
import type { DatapathMode } from "./run-options.ts";
import type { WorkerStatus } from "./worker-watch.ts";

export interface ServiceStatus extends Record<VipCounterName, number> {
  readonly service: string;
  readonly vip: string;
  /** Those that take new flows here; without one of them, who comes is refused. */
  readonly backends: readonly string[];
  /** Those that only keep what they have: they are ending or not ready, or have no weight. */
  readonly draining: readonly string[];
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
    readonly workers: readonly WorkerStatus[];
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
      backends: endpoints(vip.backends.filter(takesNewFlows)),
      draining: endpoints(vip.backends.filter((backend) => !takesNewFlows(backend))),
      ...datapath.vipCounters(id, counters),
    })),
    kubernetes: gateway.cluster,
    bgp: await gateway.peers(),
    drain: gateway.announcer.drainState,
  };
}

function endpoints(backends: readonly BackendSpec[]): string[] {
  return backends.map(({ address, port }) => endpoint(address, port));
}

/** `192.0.2.1:80`, `[2001:db8::1]:80`. */
export function endpoint(address: IpAddress, port: number): string {
  const text = formatIpAddress(address);
  return address.family === 4 ? `${text}:${port}` : `[${text}]:${port}`;
}
