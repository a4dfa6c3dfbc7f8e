/**
 * How far the timestamps of a client's connection are ahead of our clock, as the 8 highest bits of milliseconds. Source NAT
 * asks it which port in TIME-WAIT a new connection may have: the backend takes a SYN there whose timestamp is later than the
 * last one of the connection before (RFC 6191 §2), and else leaves the client to send it again a second later.
 *
 * Clients begin each connection at a time of its own (RFC 7323 §5.4; Linux draws it from addresses and ports), so half of
 * all ports will do for any connection. A unit is four and a half hours; clients whose clock does not run in milliseconds
 * are a few minutes off by the end of a TIME-WAIT.
 */
import { PROTOCOL_TCP } from "../wire/ipv4.ts";
import { findTimestamp } from "../wire/tcp-options.ts";
import { SYN, TCP_FLAGS } from "../wire/transport.ts";
import type { Pipeline } from "./pipeline.ts";

/** The clock of what has no timestamps, or began elsewhere. */
export const NO_CLOCK = 0;

const CLOCK_BITS = 8;
const CLOCK_MASK = (1 << CLOCK_BITS) - 1;

/** The clock of the connection that a frame begins: 1 to 255, or NO_CLOCK. */
export function clientClock({ batch, view, now }: Pipeline, i: number): number {
  const segment = batch.transport[i]!;
  if (batch.protocol[i] !== PROTOCOL_TCP || (view.getUint8(segment + TCP_FLAGS) & SYN) === 0) return NO_CLOCK;
  const at = findTimestamp(view, segment);
  if (at < 0) return NO_CLOCK;
  // NO_CLOCK is given away: a unit off is allowed for below.
  return (view.getInt32(at) - Math.imul(now, 1000)) >>> (32 - CLOCK_BITS) || 1;
}

/** Whether a clock is ahead of another beyond doubt, whatever has passed since they were taken. */
export function isAhead(clock: number, of: number): boolean {
  const units = (clock - of) & CLOCK_MASK;
  return clock !== NO_CLOCK && of !== NO_CLOCK && units >= 2 && units <= CLOCK_MASK / 2 - 1;
}
