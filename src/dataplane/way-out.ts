/**
 * The ways out of a new flow: an egress word for each direction, from the port's pair or from routes and neighbours.
 */
import { DropReason } from "./drop-reason.ts";
import {
  EGRESS_CHECK_TTL,
  EGRESS_DECREMENT_TTL,
  EGRESS_KEEP_MAC,
  EGRESS_PAIR,
  EGRESS_PORT,
  egressWord,
} from "./egress.ts";
import { NO_ROUTE } from "./fib.ts";
import { KEY_DESTINATION, KEY_SOURCE } from "./flow-key.ts";
import { destinationUnreachable } from "./icmp-error.ts";
import { NO_NEIGHBOR, STACK_NEIGHBOR } from "./neighbor-table.ts";
import { awaitNextHop } from "./next-hop-wait.ts";
import type { Pipeline } from "./pipeline.ts";
import { PORT_STACK, type PortTable } from "./port-table.ts";

/** `wayTo` answers with an egress word, or with this: the frame has its verdict. */
export const NO_EGRESS = -1;

/** To where a frame is translated to: the node's own stack, where that has the backend, else the next hop. */
export function wayToBackend(pipeline: Pipeline, i: number): number {
  const { fib, ports, translated, batch } = pipeline;
  const port = batch.port[i]!;
  const stack = stackPort(ports, port);
  const route = fib.lookup(translated, KEY_DESTINATION);
  const isBeyond = route !== NO_ROUTE && fib.port(route) !== stack;
  if (stack < 0 || isBeyond) return wayTo(pipeline, i, translated, KEY_DESTINATION);
  return intoStack(pipeline, i, stack, port !== stack);
}

/**
 * A reply that the stack sends by itself has been routed there; one that comes to an address of ours, or by a wire, is
 * routed here. A client behind the stack, `isClientOfNode`, is reached by it whatever its address is.
 */
export function wayToClient(
  pipeline: Pipeline,
  i: number,
  requestEgress: number,
  clientOfNode: boolean,
  sourceNat: boolean,
): number {
  // Named, not as a pair: replies come by the stack or by a wire, as the backend is here or elsewhere.
  if (clientOfNode) return intoStack(pipeline, i, stackPort(pipeline.ports, pipeline.batch.port[i]!), false);
  if ((requestEgress & EGRESS_PAIR) !== 0 && !sourceNat) return egressWord(0, 0, EGRESS_PAIR | EGRESS_KEEP_MAC);
  return wayTo(pipeline, i, pipeline.key, KEY_SOURCE);
}

/**
 * Whether a request's client is this node itself or a pod of it: its traffic comes out of the stack, or round by a router.
 * A backend behind the same stack would answer it past us.
 */
export function isClientOfNode({ ports, batch, fib, key }: Pipeline, i: number): boolean {
  const port = batch.port[i]!;
  if (ports.kind(port) === PORT_STACK) return true;
  const stack = ports.pair(port);
  if (stack < 0) return false;
  const route = fib.lookup(key, KEY_SOURCE);
  return route !== NO_ROUTE && fib.port(route) === stack;
}

/** The port that a request leaves by. */
export function requestPort({ ports, batch }: Pipeline, i: number, egress: number): number {
  return (egress & EGRESS_PAIR) !== 0 ? ports.pair(batch.port[i]!) : egress & EGRESS_PORT;
}

/** The port of the node's own stack beside a port, which may be itself; -1 when there is none. */
function stackPort(ports: PortTable, port: number): number {
  return ports.kind(port) === PORT_STACK ? port : ports.pair(port);
}

/** Into the node's own stack, which routes to pods and decrements the TTL. */
function intoStack(pipeline: Pipeline, i: number, stack: number, byPair: boolean): number {
  const neighbor = pipeline.neighbors.find(STACK_NEIGHBOR, 0, stack);
  if (neighbor === NO_NEIGHBOR) {
    pipeline.drop(i, DropReason.NeighborTableFull);
    return NO_EGRESS;
  }
  return egressWord(byPair ? 0 : stack, neighbor, byPair ? EGRESS_PAIR | EGRESS_CHECK_TTL : EGRESS_CHECK_TTL);
}

/** Route and neighbour for an address; where the neighbour is not known, it is asked for and the frame waits. */
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
    awaitNextHop(pipeline, i, nextHop, nextHopAt, port);
    return NO_EGRESS;
  }
  return egressWord(port, neighbor, EGRESS_DECREMENT_TTL | EGRESS_CHECK_TTL);
}
