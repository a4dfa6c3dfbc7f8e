/**
 * After a change of routes: gives live flows the way out that the new FIB says. Stores one word per row, so a worker
 * that reads it meanwhile takes the old way or the new one.
 */
import { addressFromRaw } from "../wire/raw.ts";
import { EGRESS_PAIR, egressWord } from "./egress.ts";
import { type Fib, NO_ROUTE } from "./fib.ts";
import { type FlowTable, ROW_EGRESS, ROW_NEW_DESTINATION, ROW_WORDS } from "./flow-table.ts";
import { type NeighborTable, NO_NEIGHBOR } from "./neighbor-table.ts";

const EGRESS_ACTIONS = 0xff00;

/** @returns how many rows changed. A flow without a route or neighbour keeps its old way. */
export function reroute(flows: FlowTable, fib: Fib, neighbors: NeighborTable): number {
  const { words } = flows;
  let changed = 0;
  for (let row = 0; row < words.length; row += ROW_WORDS) {
    if (!flows.isLive(row)) continue;
    const egress = words[row + ROW_EGRESS]!;
    if ((egress & EGRESS_PAIR) !== 0) continue;
    const destination = words[row + ROW_NEW_DESTINATION]!;
    const route = fib.lookup(addressFromRaw(destination));
    if (route === NO_ROUTE) continue;
    const port = fib.port(route);
    const neighbor = neighbors.find(fib.gateway(route) || destination, port);
    if (neighbor === NO_NEIGHBOR) continue;
    const next = egressWord(port, neighbor, egress & EGRESS_ACTIONS);
    if (next === egress) continue;
    words[row + ROW_EGRESS] = next;
    changed++;
  }
  return changed;
}
