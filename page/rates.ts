/**
 * Rates from counters: what two overviews, one after the other, say about the time between them. Counters never fall but
 * when the process is another one; then there is no rate.
 */
import type { Overview } from "../src/agent/overview.ts";

export interface Rates {
  /** Frames a second that came in and that went on, in workers and kernel, */
  readonly received: number;
  readonly forwarded: number;
  /** were not forwarded, */
  readonly stopped: number;
  /** and flows opened. */
  readonly flowsOpened: number;
  /** Frames a second of a VIP, both directions. */
  readonly vips: ReadonlyMap<string, number>;
  /** Frames a second by the reason for which they were not forwarded. */
  readonly reasons: ReadonlyMap<string, number>;
}

/** `null` when the two are not of one process. */
export function ratesBetween(before: Overview, after: Overview): Rates | null {
  const seconds = (after.time - before.time) / 1000;
  if (seconds <= 0 || after.status.uptimeSeconds < before.status.uptimeSeconds) return null;
  const per = (now: number, then: number) => Math.max(0, (now - then) / seconds);
  const [then, now] = [before.status.datapath, after.status.datapath];
  const kernel = ({ forward, egressForward }: typeof now.xdp) => forward + egressForward;
  const byKernel = per(kernel(now.xdp), kernel(then.xdp));
  return {
    received: per(now.totals.received, then.totals.received) + byKernel,
    forwarded: per(now.totals.transmitted, then.totals.transmitted) + byKernel,
    stopped: per(now.totals.dropped, then.totals.dropped),
    flowsOpened: per(now.flows.opened, then.flows.opened),
    vips: between(framesByVip(before), framesByVip(after), per),
    reasons: between(new Map(Object.entries(then.reasons)), new Map(Object.entries(now.reasons)), per),
  };
}

function framesByVip({ services }: Overview): Map<string, number> {
  return new Map(
    services.flatMap(({ vips }) => vips.map((one) => [one.vip, one.requestPackets + one.replyPackets] as const)),
  );
}

function between(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  per: (now: number, then: number) => number,
): Map<string, number> {
  return new Map([...after].map(([name, count]) => [name, per(count, before.get(name) ?? 0)]));
}
