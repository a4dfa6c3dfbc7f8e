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
  const totals = Object.fromEntries(XDP_OUTCOMES.map((outcome) => [outcome, 0])) as Record<XdpOutcome, number>;
  const key = new Uint32Array(1);
  const perCpu = new BigUint64Array(map.valueSize / 8);
  for (const [index, outcome] of XDP_OUTCOMES.entries()) {
    key[0] = index;
    map.lookup(new Uint8Array(key.buffer), new Uint8Array(perCpu.buffer));
    for (const count of perCpu) totals[outcome] += Number(count);
  }
  return totals;
}
