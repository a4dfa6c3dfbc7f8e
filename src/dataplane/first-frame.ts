/**
 * A flow's first frame: which VIP, which backend, which way out; then both rows of the flow.
 *
 * Called by the pipeline when a lookup found nothing, so a frame here is either the first of a flow, or not ours at all,
 * or a segment of a flow that this node never saw (routers moved it here): that one goes to the backend that Maglev
 * says, the same on every node.
 */
import { delta32, fold } from "../wire/checksum.ts";
import { IPV4_DESTINATION, IPV4_SOURCE, PROTOCOL_TCP } from "../wire/ipv4.ts";
import { addressFromRaw } from "../wire/raw.ts";
import { ACK, FIN, RST, SYN, TCP_FLAGS } from "../wire/transport.ts";
import { FLOWS_OPENED, VIP_FLOWS_OPENED, VIP_STRIDE } from "./counters.ts";
import { DropReason } from "./drop-reason.ts";
import { EGRESS_CHECK_TTL, EGRESS_DECREMENT_TTL, EGRESS_KEEP_MAC, EGRESS_PAIR, egressWord } from "./egress.ts";
import { NO_ROUTE } from "./fib.ts";
import {
  NO_ROW,
  ROW_DELTAS,
  ROW_EGRESS,
  ROW_NEW_DESTINATION,
  ROW_NEW_PORTS,
  ROW_NEW_SOURCE,
  ROW_OWNER,
  ROW_STATE,
  TAG_REPLY,
} from "./flow-table.ts";
import { NO_VIP } from "./forwarding-table.ts";
import { NO_NEIGHBOR } from "./neighbor-table.ts";
import type { Pipeline } from "./pipeline.ts";

/** `#route` answers with an egress word, or with this: the frame has been dropped and counted. */
const NO_EGRESS = -1;

/** @returns the request row of the new flow, or `NO_ROW` when the frame has been dropped or passed. */
export function openFlow(pipeline: Pipeline, i: number, l3: number, l4: number, protocol: number, now: number): number {
  const { view, table, flows } = pipeline;
  const source = view.getInt32(l3 + IPV4_SOURCE, true);
  const destination = view.getInt32(l3 + IPV4_DESTINATION, true);
  const ports = view.getInt32(l4, true);
  const hash = pipeline.batch.hash[i]!;

  const vip = table.vip(destination, ports >>> 16, protocol);
  if (vip === NO_VIP) {
    if (table.owns(destination)) pipeline.drop(i, DropReason.NoSuchVip);
    else pipeline.pass(i, DropReason.NotOurAddress);
    return NO_ROW;
  }
  if (isMartian(source) || source === destination) return refuse(pipeline, i, DropReason.MartianSource);
  // UDP allows source port 0 ("no reply wanted", RFC 768); a reply row couldn't tell such flows apart.
  if ((ports & 0xffff) === 0) return refuse(pipeline, i, DropReason.PortZero);
  if (protocol === PROTOCOL_TCP && !mayOpen(view.getUint8(l4 + TCP_FLAGS), table.strictSyn)) {
    return refuse(pipeline, i, DropReason.NoStateForSegment);
  }

  const backend = table.backend(vip, hash);
  if (backend < 0) return refuse(pipeline, i, DropReason.NoBackend);
  const backendAddress = table.backendAddress(backend);
  const backendPort = table.backendPort(backend);
  const requestPorts = (ports & 0xffff) | (backendPort << 16);
  const replyKeyPorts = backendPort | (ports << 16);
  const replyPorts = (ports >>> 16) | (ports << 16);

  const requestEgress = wayToBackend(pipeline, i, backendAddress);
  if (requestEgress === NO_EGRESS) return NO_ROW;
  const replyEgress = wayToClient(pipeline, i, source);
  if (replyEgress === NO_EGRESS) return NO_ROW;

  // The reply's key must lead back to this VIP alone. It doesn't when one client reaches one backend from one port
  // through two VIPs at once.
  const replyHash = flows.hash(backendAddress, source, replyKeyPorts, protocol);
  const existing = flows.find(replyHash, backendAddress, source, replyKeyPorts, protocol);
  if (existing !== NO_ROW && !leadsTo(pipeline, existing, destination, replyPorts)) {
    return refuse(pipeline, i, DropReason.TupleCollision);
  }

  const request = flows.claim(hash, source, destination, ports, protocol, 0, now);
  if (request === NO_ROW) return refuse(pipeline, i, DropReason.FlowTableFull);
  const reply =
    existing !== NO_ROW
      ? existing
      : flows.claim(replyHash, backendAddress, source, replyKeyPorts, protocol, TAG_REPLY, now);
  if (reply === NO_ROW) {
    flows.abandon(request);
    return refuse(pipeline, i, DropReason.FlowTableFull);
  }

  const owner = (table.vipId(vip) << 16) | table.backendId(backend);
  const there = delta32(destination, backendAddress);
  const back = delta32(backendAddress, destination);
  if (existing === NO_ROW) {
    fill(
      pipeline,
      reply,
      destination,
      source,
      replyPorts,
      back,
      delta32(replyKeyPorts, replyPorts),
      replyEgress,
      owner,
    );
    flows.publish(reply);
  }
  fill(
    pipeline,
    request,
    source,
    backendAddress,
    requestPorts,
    there,
    delta32(ports, requestPorts),
    requestEgress,
    owner,
  );
  flows.publish(request);

  pipeline.counters.totals[FLOWS_OPENED]! += 1;
  pipeline.counters.vips[table.vipId(vip) * VIP_STRIDE + VIP_FLOWS_OPENED]! += 1;
  return request;
}

/**
 * A SYN that hits a flow which has been closed (FIN or RST was seen): the client uses its port again. The old flow ends
 * and a new one opens, so that it gets a backend of today. A SYN from the backend's side only passes.
 */
export function reopenFlow(pipeline: Pipeline, i: number, l3: number, l4: number, row: number, now: number): number {
  const { view, flows } = pipeline;
  if (flows.isReply(row) || (view.getUint8(l4 + TCP_FLAGS) & ACK) !== 0) return row;
  const peer = flows.peer(row);
  flows.withdraw(row, now);
  if (peer !== NO_ROW) flows.withdraw(peer, now);
  return openFlow(pipeline, i, l3, l4, PROTOCOL_TCP, now);
}

function fill(
  pipeline: Pipeline,
  row: number,
  source: number,
  destination: number,
  ports: number,
  addressDelta: number,
  portsDelta: number,
  egress: number,
  owner: number,
): void {
  const words = pipeline.flows.words;
  words[row + ROW_NEW_SOURCE] = source;
  words[row + ROW_NEW_DESTINATION] = destination;
  words[row + ROW_NEW_PORTS] = ports;
  // TCP and UDP sums cover the addresses by their pseudo-header and the ports themselves (RFC 9293 §3.1, RFC 768).
  words[row + ROW_DELTAS] = addressDelta | (fold(addressDelta + portsDelta) << 16);
  words[row + ROW_EGRESS] = egress;
  words[row + ROW_OWNER] = owner;
  words[row + ROW_STATE] = 0;
}

function leadsTo(pipeline: Pipeline, reply: number, vipAddress: number, replyPorts: number): boolean {
  const words = pipeline.flows.words;
  return words[reply + ROW_NEW_SOURCE] === vipAddress && words[reply + ROW_NEW_PORTS] === replyPorts;
}

/** A SYN opens a flow; any other segment but RST may continue one that this node never saw. */
function mayOpen(flags: number, strictSyn: boolean): boolean {
  const kind = flags & (SYN | ACK | RST | FIN);
  if (kind === SYN) return true;
  return !strictSyn && (kind & (SYN | RST)) === 0;
}

/** Raw source addresses that no host on the outside can have: 0/8, 127/8, multicast and above (RFC 1122 §3.2.1.3). */
function isMartian(source: number): boolean {
  const first = source & 0xff;
  return first === 0 || first === 127 || first >= 224;
}

function wayToBackend(pipeline: Pipeline, i: number, backendAddress: number): number {
  const pair = pipeline.ports.pair(pipeline.batch.port[i]!);
  if (pair < 0) return wayTo(pipeline, i, backendAddress);
  // Into the node's own stack, which routes to the pod and decrements the TTL.
  const neighbor = pipeline.neighbors.find(0, pair);
  if (neighbor === NO_NEIGHBOR) return noEgress(pipeline, i, DropReason.NeighborTableFull);
  return egressWord(0, neighbor, EGRESS_PAIR | EGRESS_CHECK_TTL);
}

function wayToClient(pipeline: Pipeline, i: number, source: number): number {
  // The stack has already routed the reply towards the client: its MACs and TTL are right.
  if (pipeline.ports.pair(pipeline.batch.port[i]!) >= 0) return egressWord(0, 0, EGRESS_PAIR | EGRESS_KEEP_MAC);
  return wayTo(pipeline, i, source);
}

/** Route and neighbour for an address (raw); asks for the neighbour when it is not known. */
function wayTo(pipeline: Pipeline, i: number, address: number): number {
  const { fib, neighbors } = pipeline;
  const route = fib.lookup(addressFromRaw(address));
  if (route === NO_ROUTE) return noEgress(pipeline, i, DropReason.NoRoute);
  const nextHop = fib.gateway(route) || address;
  const port = fib.port(route);
  const neighbor = neighbors.find(nextHop, port);
  if (neighbor === NO_NEIGHBOR) {
    pipeline.neighborRequests.ask(nextHop, port);
    return noEgress(pipeline, i, DropReason.NeighborUnresolved);
  }
  return egressWord(port, neighbor, EGRESS_DECREMENT_TTL | EGRESS_CHECK_TTL);
}

function noEgress(pipeline: Pipeline, i: number, reason: number): number {
  pipeline.drop(i, reason);
  return NO_EGRESS;
}

function refuse(pipeline: Pipeline, i: number, reason: number): number {
  pipeline.drop(i, reason);
  return NO_ROW;
}
