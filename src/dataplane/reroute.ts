/**
 * After a change of routes: gives live flows the way out that the new FIB says. Stores one word per row, so a worker
 * that reads it meanwhile takes the old way or the new one.
 */
import { copyAddress } from "../wire/raw.ts";
import { hopAt, sentKind } from "./dsr-send.ts";
import { DsrKind, dsrKind, EGRESS_PAIR, egressWord, sendsDsr } from "./egress.ts";
import { type Fib, NO_ROUTE } from "./fib.ts";
import { KEY_DESTINATION, newFlowKey } from "./flow-key.ts";
import type { FlowTable } from "./flow-table.ts";
import { NO_BACKEND } from "./forwarding-layout.ts";
import type { ForwardingTable } from "./forwarding-table.ts";
import { type NeighborTable, NO_NEIGHBOR } from "./neighbor-table.ts";

const EGRESS_ACTIONS = 0xff00;

/** @returns how many rows changed. A flow without a route or neighbour keeps its old way. */
export function reroute(flows: FlowTable, fib: Fib, neighbors: NeighborTable, table: ForwardingTable): number {
  const { words, layout } = flows;
  const translated = newFlowKey();
  let changed = 0;
  for (let row = 0; row < words.length; row += layout.words) {
    if (!flows.isLive(row)) continue;
    const egress = words[row + layout.egress]!;
    if ((egress & EGRESS_PAIR) !== 0) continue;
    if (sendsDsr(egress)) {
      const backend = table.backendOf(words[row + layout.owner]!);
      if (backend === NO_BACKEND) continue;
      copyAddress(translated, KEY_DESTINATION, table.backends, hopAt(table, sentKind(table, flows, row), backend));
    } else {
      flows.loadTranslation(row, translated);
    }
    const route = fib.lookup(translated, KEY_DESTINATION);
    if (route === NO_ROUTE) continue;
    // A frame that isn't changed would come back from a gateway.
    if (sendsDsr(egress) && dsrKind(egress) === DsrKind.Link && fib.hasGateway(route)) continue;
    const port = fib.port(route);
    const neighbor = fib.hasGateway(route)
      ? neighbors.find(fib.words, fib.gatewayAt(route), port)
      : neighbors.find(translated, KEY_DESTINATION, port);
    if (neighbor === NO_NEIGHBOR) continue;
    const next = egressWord(port, neighbor, egress & EGRESS_ACTIONS);
    if (next === egress) continue;
    words[row + layout.egress] = next;
    changed++;
  }
  return changed;
}
