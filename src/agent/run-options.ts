/** How `sluice run` was asked to run. */
import type { HttpSecrets } from "../api/http-guard.ts";
import type { Parts } from "../control/parts.ts";
import type { ClusterOptions } from "../kubernetes/cluster-member.ts";
import type { Timing } from "../l2/timing.ts";
import type { XdpMode } from "../xdp/attach.ts";
import type { Goodbye } from "./announcer.ts";
import type { VlanOption } from "./vlan-option.ts";

/**
 * Who forwards established flows, and who opens new ones: the workers both (`userspace`), the BPF programs the former
 * (`hybrid`) or both (`kernel`). `auto` is hybrid, and kernel on queues whose worker does not keep up or has gone.
 */
export const DATAPATH_MODES = ["auto", "userspace", "hybrid", "kernel"] as const;
/** A flood leaves each processor most of its time for those who are known: opening a flow takes half a microsecond. */
export const DEFAULT_NEW_FLOW_BUDGET = 200_000;

export type DatapathMode = (typeof DATAPATH_MODES)[number];

/** Whether the kernel ever opens flows. */
export function opensInKernel(mode: DatapathMode): boolean {
  return mode === "auto" || mode === "kernel";
}

export interface RunOptions {
  /** The cluster that is followed in place of files; `null` for files. */
  readonly kubernetes: ClusterOptions | null;
  /** Files and directories of manifests. */
  readonly paths: readonly string[];
  /** Whether the health check ports of Services are served, as they must be where no kube-proxy does it. */
  readonly healthCheckPorts?: boolean;
  /** Where it is kept what Services hold when it runs on files; `null` forgets it with the process. */
  readonly heldFile?: string | null;
  /** What it announces; the rest is left to others. */
  readonly parts: Parts;
  /** The name of this node's Node object. */
  readonly node: string;
  /** Interfaces that face routers and clients. */
  readonly uplinks: readonly string[];
  /** Where the backends are: behind the node's own stack, or behind interfaces of their own (which may be the uplink). */
  readonly inside: "stack" | readonly string[];
  /** Of interfaces whose traffic is that of a VLAN. */
  readonly vlans: readonly VlanOption[];
  readonly datapath: DatapathMode;
  /** New flows of one source in a second, at most; absent, as many as it likes. */
  readonly newFlowsPerSource?: number;
  /** Whether a client must show, by a SYN cookie, that its address is its own before anything is kept of it. */
  readonly synCookies?: boolean;
  /** New flows that the kernel opens in a second, on each processor; 0 for as many as come. */
  readonly newFlowBudget?: number;
  /** Whether established flows go on in the kernel after a stop, until the next start or `sluice cleanup`. */
  readonly keepFlows: boolean;
  readonly xdpMode: XdpMode | "auto";
  /** Whether offloads that would break traffic are switched off, or only told. */
  readonly repairOffloads: boolean;
  /** Path of the unix socket of the API. */
  readonly socket: string;
  /** `host:port` on which the API also listens; `null` for nowhere. */
  readonly http: string | null;
  /** What is asked of those who read there; nothing unless given. */
  readonly httpSecrets?: HttpSecrets;
  /** TCP port on which the nodes ask each other for what the status page shows of them; absent, they do not. */
  readonly fleetPort?: number | null;
  /** `host:port` with metrics and probes only. */
  readonly metrics?: string | null;
  /** File with the secret that all nodes of the cluster share; `null` makes one up. */
  readonly clusterSecret: string | null;
  /** UDP port of the heartbeats by which nodes agree on owners of addresses on links; on all nodes the same. */
  readonly l2Port: number;
  readonly l2Timing: Timing;
  /** Rows of the flow table, a power of two; a flow takes two. */
  readonly flowRows: number;
  /** Unix socket of a BGP speaker in a process of its own; without it the speaker is a thread of this one. */
  readonly speakerSocket?: string | null;
  /** How the sessions end with this process; `cease` unless told otherwise. */
  readonly goodbye?: Goodbye;
}
