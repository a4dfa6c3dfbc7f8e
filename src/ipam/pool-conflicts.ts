/**
 * Pools that overlap: the younger one stops giving addresses, with all its blocks, until the overlap is gone. A pool that
 * already stopped stops no other.
 */
import type { AddressPool, PoolBlock } from "../intent/address-pool.ts";
import { rangesOverlap } from "../net/ip-range.ts";
import { byAge } from "./age.ts";

/** The message of each pool in conflict, by name. */
export function poolConflicts(pools: readonly AddressPool[]): ReadonlyMap<string, string> {
  const conflicts = new Map<string, string>();
  const sound: AddressPool[] = [];
  for (const pool of [...pools].sort(byAge)) {
    const message = overlapWithin(pool) ?? overlapWithOthers(pool, sound);
    if (message === null) sound.push(pool);
    else conflicts.set(pool.name, message);
  }
  return conflicts;
}

function overlapWithin(pool: AddressPool): string | null {
  for (const [index, block] of pool.blocks.entries()) {
    const other = pool.blocks.slice(index + 1).find((candidate) => rangesOverlap(block, candidate));
    if (other !== undefined) return conflictMessage(block, other, pool);
  }
  return null;
}

function overlapWithOthers(pool: AddressPool, others: readonly AddressPool[]): string | null {
  for (const other of others) {
    for (const block of pool.blocks) {
      const overlapped = other.blocks.find((candidate) => rangesOverlap(block, candidate));
      if (overlapped !== undefined) return conflictMessage(block, overlapped, other);
    }
  }
  return null;
}

/** In the words of Cilium's condition, which people search for. */
function conflictMessage(block: PoolBlock, other: PoolBlock, otherPool: AddressPool): string {
  return `Pool conflicts since range '${block.text}' overlaps range '${other.text}' from IP Pool '${otherPool.name}'`;
}
