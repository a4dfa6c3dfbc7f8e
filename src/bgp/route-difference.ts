/** What turns one table of routes into another, as rows: found by walking both once, since both are in order. */
import { compareRows, PREFIX_OCTETS, type RouteFamily, type RouteTable } from "./route-table.ts";

interface RouteDifference {
  /** Rows of the old table whose prefix the new one has not. */
  readonly gone: Uint32Array;
  /** Rows of the new table that are new or changed; those of the same attributes stand together. */
  readonly changed: Uint32Array;
}

/** With `again`, routes in both tables count as changed. */
export function routeDifference(from: RouteTable, to: RouteTable, afi: RouteFamily, again: boolean): RouteDifference {
  const octets = PREFIX_OCTETS[afi];
  const [old, next] = [from[afi], to[afi]];
  const oldRows = old.attributes.length;
  const nextRows = next.attributes.length;
  const alike = alikeIndexes(from, to);
  const gone = new Uint32Array(oldRows);
  const changed = new Uint32Array(nextRows);
  let [goneCount, changedCount, i, j] = [0, 0, 0, 0];
  while (i < oldRows || j < nextRows) {
    const order = i === oldRows ? 1 : j === nextRows ? -1 : compareRows(old.prefixes, i, next.prefixes, j, octets);
    if (order < 0) gone[goneCount++] = i++;
    else if (order > 0) changed[changedCount++] = j++;
    else {
      if (again || alike[next.attributes[j]!] !== old.attributes[i]) changed[changedCount++] = j;
      i++;
      j++;
    }
  }
  return {
    gone: gone.slice(0, goneCount),
    changed: grouped(changed.subarray(0, changedCount), next.attributes, to.attributes.length),
  };
}

/** By index in `to`: the index of the same attributes in `from`, or -1. */
function alikeIndexes(from: RouteTable, to: RouteTable): Int32Array {
  const known = new Map(from.attributes.map(({ identity }, index) => [identity, index]));
  return Int32Array.from(to.attributes, ({ identity }) => known.get(identity) ?? -1);
}

/** The rows with those of equal attributes together, else in their order. */
function grouped(rows: Uint32Array, attributes: Uint32Array, kinds: number): Uint32Array {
  const places = new Uint32Array(kinds + 1);
  for (const row of rows) places[attributes[row]! + 1]!++;
  for (let kind = 1; kind <= kinds; kind++) places[kind]! += places[kind - 1]!;
  const together = new Uint32Array(rows.length);
  for (const row of rows) together[places[attributes[row]!]!++] = row;
  return together;
}
