/**
 * What a worker counts: doubles (exact to 2^53) in shared memory, one writer each, so plain stores are enough and the
 * main thread reads them whenever it likes.
 */
import { DROP_REASONS } from "./drop-reason.ts";
import { MAX_PORTS } from "./port-table.ts";

/** Totals, in the order of their places. */
export const TOTALS = [
  "received",
  "receivedBytes",
  "transmitted",
  "transmittedBytes",
  "replied",
  "passed",
  "dropped",
  "flowsOpened",
  "flowsEvicted",
] as const;
export type TotalName = (typeof TOTALS)[number];

export const RECEIVED = 0;
export const RECEIVED_BYTES = 1;
export const TRANSMITTED = 2;
export const TRANSMITTED_BYTES = 3;
export const REPLIED = 4;
export const PASSED = 5;
export const DROPPED = 6;
export const FLOWS_OPENED = 7;
/** Ended before their time to make room: eviction.ts. */
export const FLOWS_EVICTED = 8;

/** Per VIP: one cache line. Bytes are those of whole frames, as an interface counts them. */
export const VIP_COUNTERS = ["requestPackets", "requestBytes", "replyPackets", "replyBytes", "flowsOpened"] as const;
export type VipCounterName = (typeof VIP_COUNTERS)[number];

export const VIP_REQUEST_PACKETS = 0;
export const VIP_REPLY_PACKETS = 2;
export const VIP_FLOWS_OPENED = 4;
export const VIP_STRIDE = 8;

export interface Counters {
  readonly totals: Float64Array;
  /** By DropReason, of frames dropped or passed for it. */
  readonly reasons: Float64Array;
  /** The same by the port that they came in by: its id times the number of reasons, plus the reason. */
  readonly reasonsByPort: Float64Array;
  /** By VIP id times VIP_STRIDE. */
  readonly vips: Float64Array;
}

export function countersMemory(maxVips: number): Counters {
  return {
    totals: doubles(TOTALS.length),
    reasons: doubles(DROP_REASONS.length),
    reasonsByPort: doubles(MAX_PORTS * DROP_REASONS.length),
    vips: doubles(maxVips * VIP_STRIDE),
  };
}

/** Notes why a frame was not forwarded. @param port by which it came in. */
export function countReason({ reasons, reasonsByPort }: Counters, reason: number, port: number): void {
  reasons[reason]! += 1;
  reasonsByPort[port * DROP_REASONS.length + reason]! += 1;
}

/** How many frames were not forwarded, by the name of the reason; only those that happened. @param port `null` for all. */
export function reasonCounts({ reasons, reasonsByPort }: Counters, port: number | null = null): Record<string, number> {
  const from = (port ?? 0) * DROP_REASONS.length;
  const counted = port === null ? reasons : reasonsByPort.subarray(from, from + DROP_REASONS.length);
  return Object.fromEntries(
    DROP_REASONS.flatMap((name, reason) => (counted[reason]! > 0 ? [[name, counted[reason]!]] : [])),
  );
}

/**
 * Adds up what several workers counted: the totals, and of the VIPs those with these ids, as there is room for far more of
 * them than there are.
 */
export function sumCounters(all: readonly Counters[], vipIds: Iterable<number>): Counters {
  const ids = [...vipIds];
  const sum: Counters = {
    totals: new Float64Array(TOTALS.length),
    reasons: new Float64Array(DROP_REASONS.length),
    reasonsByPort: new Float64Array(MAX_PORTS * DROP_REASONS.length),
    vips: new Float64Array(ids.reduce((most, id) => Math.max(most, id + 1), 0) * VIP_STRIDE),
  };
  for (const { totals, reasons, reasonsByPort, vips } of all) {
    add(sum.totals, totals, 0, totals.length);
    add(sum.reasons, reasons, 0, reasons.length);
    add(sum.reasonsByPort, reasonsByPort, 0, reasonsByPort.length);
    for (const id of ids) add(sum.vips, vips, id * VIP_STRIDE, (id + 1) * VIP_STRIDE);
  }
  return sum;
}

function add(into: Float64Array, from: Float64Array, start: number, end: number): void {
  for (let index = start; index < end; index++) into[index]! += from[index]!;
}

function doubles(count: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(count * 8));
}
