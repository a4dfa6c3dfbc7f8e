/**
 * The free addresses of one block, as a sorted list of gaps.
 *
 *     block   [first . . . . . . . . . . . . . . last]
 *     taken        x x       x
 *     gaps    [---]     [---]  [------------------]
 *
 * Memory and time follow the number of addresses taken, not the size of the block: a v6 /64 costs the same as a /30.
 */
import type { IpRange } from "../net/ip-range.ts";
import { rangeSize } from "../net/ip-range.ts";

interface Gap {
  readonly first: bigint;
  readonly last: bigint;
}

export class FreeGaps {
  #gaps: Gap[];

  constructor(block: IpRange, avoidBuggy = false) {
    this.#gaps = avoidBuggy && block.family === 4 ? soundParts(block) : [{ first: block.first, last: block.last }];
  }

  has(value: bigint): boolean {
    const gap = this.#gaps[this.#indexAt(value)];
    return gap !== undefined && gap.first <= value;
  }

  count(): bigint {
    return this.#gaps.reduce((sum, gap) => sum + gap.last - gap.first + 1n, 0n);
  }

  /** Takes what of the range is still free. */
  take(range: Pick<IpRange, "first" | "last">): void {
    const start = this.#indexAt(range.first);
    let end = start;
    const rest: Gap[] = [];
    for (; end < this.#gaps.length && this.#gaps[end]!.first <= range.last; end++) {
      const gap = this.#gaps[end]!;
      if (gap.first < range.first) rest.push({ first: gap.first, last: range.first - 1n });
      if (gap.last > range.last) rest.push({ first: range.last + 1n, last: gap.last });
    }
    this.#gaps.splice(start, end - start, ...rest);
  }

  /** Takes the lowest address of the smallest gap, the lowest such gap; `null` when nothing is free. */
  takeNext(): bigint | null {
    let smallest: Gap | null = null;
    for (const gap of this.#gaps) {
      if (smallest === null || gap.last - gap.first < smallest.last - smallest.first) smallest = gap;
    }
    if (smallest === null) return null;
    this.take({ first: smallest.first, last: smallest.first });
    return smallest.first;
  }

  /** Takes the lowest free address; `null` when nothing is free. */
  takeLowest(): bigint | null {
    const gap = this.#gaps[0];
    if (gap === undefined) return null;
    this.take({ first: gap.first, last: gap.first });
    return gap.first;
  }

  /** The first gap that ends at or after a value. */
  #indexAt(value: bigint): number {
    let low = 0;
    let high = this.#gaps.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#gaps[middle]!.last < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** All of a block but the two ends that some networks cannot use; blocks of one or two addresses have none to spare. */
export function endsOf(block: IpRange): readonly bigint[] {
  return rangeSize(block) <= 2n ? [] : [block.first, block.last];
}

/** A block of IPv4 without every address that ends in .0 or .255. */
function soundParts(block: IpRange): Gap[] {
  const parts: Gap[] = [];
  for (let network = block.first & ~255n; network <= block.last; network += 256n) {
    const first = network + 1n > block.first ? network + 1n : block.first;
    const last = network + 254n < block.last ? network + 254n : block.last;
    if (first <= last) parts.push({ first, last });
  }
  return parts;
}
