/**
 * Which source ports source NAT may use, as a worker needs it: all of them in a list to pick from by a number, and a bit
 * for each port to ask for one. And the memory of a worker of where there was none left lately, so that refusing costs
 * little: with every port taken, looking at 32 of them for each new flow would be most of the work of a gateway.
 */
import { NO_CLOCK } from "./client-clock.ts";
import type { PortRange } from "./forwarding-spec.ts";

/** From one port of the list to the next that is tried: far, as ports in use come in rows. A prime. */
export const FREE_PORT_STRIDE = 7919;

/** Ports looked at for a new flow. A table so full that none of these is free is as good as full. */
const TRIES = 32;
/**
 * The same for a client with a clock, which ends its search at the first connection that it is ahead of: half of all that
 * have been quiet for long enough. With 10,000 connections a second on the 33,000 ports that Linux leaves us, that is one
 * of five; 32 tries then failed for one connection of a thousand, and each of those waited a second (bench/connections.ts).
 */
const TRIES_BY_CLOCK = 128;
/** The same, within the second in which a backend's ports were found to be exhausted, */
const TRIES_WHEN_EXHAUSTED = 2;
/** and then only for one new flow of so many, a power of two, until one succeeds. The others are refused at once. */
const ONE_OF = 16;
const REMEMBERED_BITS = 10;

export interface SourcePortColumns {
  /** Every port, in order. */
  readonly list: Uint16Array;
  /** A bit for each of the 65,536. */
  readonly set: Uint8Array;
}

export function sourcePortColumns(ranges: readonly PortRange[]): SourcePortColumns {
  const set = new Uint8Array(new SharedArrayBuffer(1 << 13));
  let count = 0;
  for (const [first, last] of ranges) {
    for (let port = first; port <= last; port++) {
      if (hasPort(set, port)) continue;
      set[port >>> 3]! |= 1 << (port & 7);
      count++;
    }
  }
  const list = new Uint16Array(new SharedArrayBuffer(2 * count));
  for (let port = 0, at = 0; at < count; port++) if (hasPort(set, port)) list[at++] = port;
  return { list, set };
}

export function hasPort(set: Uint8Array, port: number): boolean {
  return (set[port >>> 3]! & (1 << (port & 7))) !== 0;
}

/** One worker's memory of exhausted backends, by few bits of the owner words of their flows: it may err. */
export class ExhaustedPorts {
  readonly #second = new Int32Array(new ArrayBuffer(4 << REMEMBERED_BITS));

  /** How many ports to look at for a new flow. @param now monotonic seconds, never 0. */
  tries(owner: number, clock: number, now: number): number {
    if (this.#second[placeOf(owner)] === now) return TRIES_WHEN_EXHAUSTED;
    return clock === NO_CLOCK ? TRIES : TRIES_BY_CLOCK;
  }

  /** Whether a new flow is worth a try. @param hash of the flow. */
  mayTry(owner: number, hash: number, now: number): boolean {
    return this.#second[placeOf(owner)] !== now || (hash & (ONE_OF - 1)) === 0;
  }

  note(owner: number, now: number): void {
    this.#second[placeOf(owner)] = now;
  }

  /** A port was found. */
  forget(owner: number): void {
    this.#second[placeOf(owner)] = 0;
  }
}

/** VIP and backend spread over the places. */
function placeOf(owner: number): number {
  return Math.imul(owner, 0x9e3779b1) >>> (32 - REMEMBERED_BITS);
}
