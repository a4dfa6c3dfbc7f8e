/** What became of the frames that the BPF programs saw: the counters of `xdp_counters`, summed over the CPUs. */
import type { BpfMap } from "./bpf-map.ts";

/** In the order of `enum outcome` in native/bpf/outcome.h. */
export const XDP_OUTCOMES = [
  "passUnknownPort",
  "passNotOurs",
  "passStranger",
  "dropNotOurs",
  "noSocket",
  "redirectArp",
  "redirectNdp",
  "redirectOwned",
  "redirectTunnel",
  "redirectTunnelError",
  "redirectDsrOption",
  "redirectReply",
  "redirectReplyError",
  "redirectReplyFragment",
  "egressReply",
  "egressReplyError",
  "egressReplyFragment",
  "forward",
  "egressForward",
  "sampleLost",
  "open",
  "evicted",
  "dropSourceLimit",
  "dropBudget",
  "challenge",
  "proven",
  "dropUnproven",
] as const;

export type XdpOutcome = (typeof XDP_OUTCOMES)[number];

export function readXdpCounters(map: BpfMap): Record<XdpOutcome, number> {
  return Object.fromEntries(XDP_OUTCOMES.map((outcome) => [outcome, readXdpCounter(map, outcome)])) as Record<
    XdpOutcome,
    number
  >;
}

export function readXdpCounter(map: BpfMap, outcome: XdpOutcome): number {
  const key = Uint32Array.of(XDP_OUTCOMES.indexOf(outcome));
  const perCpu = new BigUint64Array(map.valueSize / 8);
  map.lookup(new Uint8Array(key.buffer), new Uint8Array(perCpu.buffer));
  return perCpu.reduce((total, count) => total + Number(count), 0);
}
