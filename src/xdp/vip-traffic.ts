/** What the BPF programs have forwarded of a VIP, summed over the CPUs: the map `vip_traffic` of native/bpf/traffic.h. */
import type { BpfMap } from "./bpf-map.ts";

/** Request packets, request bytes, reply packets, reply bytes; flows opened: the first of VIP_COUNTERS, in their order. */
export const VIP_TRAFFIC_WORDS = 5;

/** Adds the traffic of a VIP to `into`, from `at` on. */
export function addVipTraffic(map: BpfMap, vipId: number, into: Float64Array, at: number): void {
  const perCpu = new BigUint64Array(map.valueSize / 8);
  if (!map.lookup(new Uint8Array(Uint32Array.of(vipId).buffer), new Uint8Array(perCpu.buffer))) return;
  for (const [index, value] of perCpu.entries()) into[at + (index % VIP_TRAFFIC_WORDS)]! += Number(value);
}
