/**
 * The way out of a frame: which port, with which MACs; and what keeps a packet from going on there: its TTL ends, or it is
 * longer than the port's MTU and may not be fragmented, which an ICMP error answers; or its next hop has no MAC yet.
 */
import { putAsClientSent } from "./as-client-sent.ts";
import { DropReason } from "./drop-reason.ts";
import { EGRESS_CHECK_TTL, EGRESS_KEEP_MAC, EGRESS_NEIGHBOR_SHIFT, EGRESS_PAIR, EGRESS_PORT } from "./egress.ts";
import { fragmentPacket } from "./fragmenting.ts";
import { packetTooBig, timeExceeded } from "./icmp-error.ts";
import { awaitNextHop } from "./next-hop-wait.ts";
import type { Pipeline } from "./pipeline.ts";

/**
 * Writes the MACs that `egress` says; the caller decrements the TTL, which it has in its hands.
 * @param ttl of the packet, before it is decremented.
 * @param growth bytes that the packet gains before it leaves.
 * @returns the port; -1 when the frame has been dropped or answered.
 */
export type Leave = (i: number, egress: number, ttl: number, growth: number) => number;

/** A closure over its tables, see forward.ts. */
export function makeLeave(pipeline: Pipeline): Leave {
  const { batch, view, ports, neighbors } = pipeline;
  const { offset: offsets, port: inPorts, network: networks, end: ends } = batch;

  return function leave(i, egress, ttl, growth) {
    if (ttl <= 1 && (ttl === 0 || (egress & EGRESS_CHECK_TTL) !== 0)) {
      putAsClientSent(pipeline, i, egress);
      timeExceeded(pipeline, i, DropReason.TtlExpired);
      return -1;
    }
    const port = (egress & EGRESS_PAIR) !== 0 ? ports.pair(inPorts[i]!) : egress & EGRESS_PORT;
    const keepsMac = (egress & EGRESS_KEEP_MAC) !== 0;
    const neighbor = egress >>> EGRESS_NEIGHBOR_SHIFT;
    // Before the packet is cut: what waits is to be as it came.
    if (!keepsMac && !neighbors.isValid(neighbor)) {
      resolve(i, neighbor);
      return -1;
    }
    // What grows may leave in a tunnel, whose path may take less than the link.
    const mtu = growth === 0 ? ports.mtu(port) : Math.min(ports.mtu(port), pipeline.pathMtu);
    if (ends[i]! - networks[i]! + growth > mtu && !fragmentPacket(pipeline, i, mtu - growth)) {
      putAsClientSent(pipeline, i, egress);
      packetTooBig(pipeline, i, mtu - growth, DropReason.MtuExceeded);
      return -1;
    }
    if (!keepsMac) neighbors.writeMacs(neighbor, view, offsets[i]!);
    return port;
  };

  /** The main thread is asked for the MAC, once. */
  function resolve(i: number, neighbor: number): void {
    const port = neighbors.port(neighbor);
    const at = neighbors.addressAt(neighbor);
    if (neighbors.markWanted(neighbor)) pipeline.neighborRequests.ask(neighbors.words, at, port);
    awaitNextHop(pipeline, i, neighbors.words, at, port);
  }
}
