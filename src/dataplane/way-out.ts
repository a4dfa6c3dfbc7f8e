/**
 * The ways out of a new flow: an egress word for each direction, from the port's pair or from routes and neighbours.
 */
import { DropReason } from "./drop-reason.ts";
import { EGRESS_CHECK_TTL, EGRESS_DECREMENT_TTL, EGRESS_KEEP_MAC, EGRESS_PAIR, egressWord } from "./egress.ts";
import { type Fib, NO_ROUTE } from "./fib.ts";
import { type FlowKey, KEY_DESTINATION, KEY_SOURCE } from "./flow-key.ts";
import { destinationUnreachable } from "./icmp-error.ts";
import { NO_NEIGHBOR, STACK_NEIGHBOR } from "./neighbor-table.ts";
import type { Pipeline } from "./pipeline.ts";

/** `wayTo` answers with an egress word, or with this: the frame has been dropped and counted. */
export const NO_EGRESS = -1;

/** To where a frame is translated to: the node's own stack, where that has the backend, else the next hop. */
export function wayToBackend(pipeline: Pipeline, i: number): number {
  const { fib, neighbors, ports, translated, batch } = pipeline;
  const pair = ports.pair(batch.port[i]!);
  if (pair < 0 || isBeyondStack(fib, translated, pair)) return wayTo(pipeline, i, translated, KEY_DESTINATION);
  // Into the node's own stack, which routes to the pod and decrements the TTL.
  const neighbor = neighbors.find(STACK_NEIGHBOR, 0, pair);
  if (neighbor === NO_NEIGHBOR) return noEgress(pipeline, i, DropReason.NeighborTableFull);
  return egressWord(0, neighbor, EGRESS_PAIR | EGRESS_CHECK_TTL);
}

/** Whether the kernel would send to a backend by one of our wires: it is on another node. */
function isBeyondStack(fib: Fib, translated: FlowKey, stackPort: number): boolean {
  const route = fib.lookup(translated, KEY_DESTINATION);
  return route !== NO_ROUTE && fib.port(route) !== stackPort;
}

/** A reply that has come through the stack was routed there; one that comes by a wire is routed here. */
export function wayToClient(pipeline: Pipeline, i: number, requestEgress: number): number {
  if ((requestEgress & EGRESS_PAIR) !== 0) return egressWord(0, 0, EGRESS_PAIR | EGRESS_KEEP_MAC);
  return wayTo(pipeline, i, pipeline.key, KEY_SOURCE);
}

/** Route and neighbour for an address; asks for the neighbour when it is not known. */
export function wayTo(pipeline: Pipeline, i: number, words: Int32Array, at: number): number {
  const { fib, neighbors } = pipeline;
  const route = fib.lookup(words, at);
  if (route === NO_ROUTE) {
    destinationUnreachable(pipeline, i, DropReason.NoRoute);
    return NO_EGRESS;
  }
  const nextHop = fib.hasGateway(route) ? fib.words : words;
  const nextHopAt = fib.hasGateway(route) ? fib.gatewayAt(route) : at;
  const port = fib.port(route);
  const neighbor = neighbors.find(nextHop, nextHopAt, port);
  if (neighbor === NO_NEIGHBOR) {
    pipeline.neighborRequests.ask(nextHop, nextHopAt, port);
    return noEgress(pipeline, i, DropReason.NeighborUnresolved);
  }
  return egressWord(port, neighbor, EGRESS_DECREMENT_TTL | EGRESS_CHECK_TTL);
}

function noEgress(pipeline: Pipeline, i: number, reason: number): number {
  pipeline.drop(i, reason);
  return NO_EGRESS;
}
