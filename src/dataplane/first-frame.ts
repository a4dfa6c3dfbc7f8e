/**
 * A flow's first frame: which VIP, which backend, which way out; then both rows of the flow. Both families alike.
 *
 * Called by the pipeline when a lookup found nothing, so a frame here is either the first of a flow, or not ours at all,
 * or a segment of a flow that this node never saw (routers moved it here): that one goes to the backend that Maglev
 * says, the same on every node.
 */
import { PROTOCOL_TCP } from "../wire/ipv4.ts";
import { copyAddress, isMapped, sameAddress } from "../wire/raw.ts";
import { ACK, FIN, RST, SYN, TCP_FLAGS } from "../wire/transport.ts";
import { FLOWS_OPENED, VIP_FLOWS_OPENED, VIP_STRIDE } from "./counters.ts";
import { DropReason } from "./drop-reason.ts";
import {
  EGRESS_CHECK_TTL,
  EGRESS_DECREMENT_TTL,
  EGRESS_KEEP_MAC,
  EGRESS_PAIR,
  EGRESS_PORT,
  egressWord,
} from "./egress.ts";
import { type Fib, NO_ROUTE } from "./fib.ts";
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, reverseKey } from "./flow-key.ts";
import { type FlowTable, NO_ROW, TAG_REPLY } from "./flow-table.ts";
import { NO_VIP, SOURCE_NAT } from "./forwarding-table.ts";
import { destinationUnreachable, refuseConnection } from "./icmp-error.ts";
import { NO_NEIGHBOR, STACK_NEIGHBOR } from "./neighbor-table.ts";
import type { Pipeline } from "./pipeline.ts";
import { claimSource, isHairpin } from "./source-nat.ts";

/** `wayTo` answers with an egress word, or with this: the frame has been dropped and counted. */
const NO_EGRESS = -1;
/** `claimReply` answers so when another flow has the reply's key. */
const COLLISION = -2;

/** @returns the request row of the new flow, or `NO_ROW` when the frame has been dropped, answered or passed. */
export function openFlow(pipeline: Pipeline, i: number, isIpv4: boolean): number {
  const { batch, view, table, key, translated, now } = pipeline;
  const flows = pipeline.flowsOf(isIpv4);
  const l4 = batch.transport[i]!;
  const protocol = batch.protocol[i]!;
  const hash = batch.hash[i]!;
  pipeline.loadKey(key, isIpv4, batch.network[i]!, l4, protocol);
  const ports = key[KEY_PORTS]!;

  const vip = table.vip(key, KEY_DESTINATION, ports >>> 16, protocol);
  if (vip === NO_VIP) {
    if (table.owns(key, KEY_DESTINATION)) refuseConnection(pipeline, i, DropReason.NoSuchVip);
    else pipeline.pass(i, DropReason.NotOurAddress);
    return NO_ROW;
  }
  if (isMartian(key, isIpv4) || sameAddress(key, KEY_SOURCE, key, KEY_DESTINATION)) {
    return refuse(pipeline, i, DropReason.MartianSource);
  }
  if (!table.allowsSource(vip, key, KEY_SOURCE)) return refuse(pipeline, i, DropReason.SourceNotAllowed);
  // UDP allows source port 0 ("no reply wanted", RFC 768); a reply row couldn't tell such flows apart.
  if ((ports & 0xffff) === 0) return refuse(pipeline, i, DropReason.PortZero);
  if (protocol === PROTOCOL_TCP && !mayOpen(view.getUint8(l4 + TCP_FLAGS), table.strictSyn)) {
    return refuse(pipeline, i, DropReason.NoStateForSegment);
  }

  const backend = table.backend(vip, table.hasAffinity(vip) ? clientHash(pipeline) : hash);
  if (backend < 0) {
    if (table.rejects) refuseConnection(pipeline, i, DropReason.NoBackend);
    else pipeline.drop(i, DropReason.NoBackend);
    return NO_ROW;
  }
  copyAddress(translated, KEY_SOURCE, key, KEY_SOURCE);
  copyAddress(translated, KEY_DESTINATION, table.backends, backend);
  translated[KEY_PORTS] = (ports & 0xffff) | (table.backendPort(backend) << 16);
  translated[KEY_PROTOCOL] = protocol;

  const requestEgress = wayToBackend(pipeline, i);
  if (requestEgress === NO_EGRESS) return NO_ROW;
  const replyEgress = wayToClient(pipeline, i, requestEgress);
  if (replyEgress === NO_EGRESS) return NO_ROW;
  const owner = (table.vipId(vip) << 16) | table.backendId(backend);

  const sourceNat = needsSourceNat(pipeline, i, vip, requestEgress);
  const reply = sourceNat
    ? claimSource(pipeline, flows, isIpv4, requestEgress & EGRESS_PORT, hash, replyEgress, owner)
    : claimReply(pipeline, flows, replyEgress, owner);
  if (reply < 0) {
    const full = sourceNat ? DropReason.SourcePortsExhausted : DropReason.FlowTableFull;
    return refuse(pipeline, i, reply === COLLISION ? DropReason.TupleCollision : full);
  }
  const request = flows.claim(hash, key, protocol, 0, now);
  if (request === NO_ROW) {
    flows.withdraw(reply, now);
    return refuse(pipeline, i, DropReason.FlowTableFull);
  }
  flows.complete(request, translated, requestEgress, owner);

  pipeline.counters.totals[FLOWS_OPENED]! += 1;
  pipeline.counters.vips[table.vipId(vip) * VIP_STRIDE + VIP_FLOWS_OPENED]! += 1;
  return request;
}

/**
 * A SYN that hits a flow which has been closed (FIN or RST was seen): the client uses its port again. The old flow ends
 * and a new one opens, so that it gets a backend of today. A SYN from the backend's side only passes.
 */
export function reopenFlow(pipeline: Pipeline, i: number, isIpv4: boolean, row: number): number {
  const flows = pipeline.flowsOf(isIpv4);
  const flags = pipeline.view.getUint8(pipeline.batch.transport[i]! + TCP_FLAGS);
  if (flows.isReply(row) || (flags & ACK) !== 0) return row;
  const peer = flows.peer(row);
  flows.withdraw(row, pipeline.now);
  if (peer !== NO_ROW) flows.withdraw(peer, pipeline.now);
  return openFlow(pipeline, i, isIpv4);
}

/** Hash of the client's address alone, by the flow hash's key: the same on every node. */
function clientHash({ flows6, key, spareKey }: Pipeline): number {
  spareKey.fill(0);
  copyAddress(spareKey, KEY_SOURCE, key, KEY_SOURCE);
  return flows6.hashKey(spareKey);
}

/**
 * The reply row of a flow whose source stays the client's. Its key must lead back to this VIP alone; it doesn't when one
 * client reaches one backend from one port through two VIPs at once. Another worker may have opened the flow meanwhile:
 * then its row is taken.
 */
function claimReply(pipeline: Pipeline, flows: FlowTable, egress: number, owner: number): number {
  const { key, translated, otherKey, spareKey, now } = pipeline;
  reverseKey(otherKey, translated);
  const hash = flows.hashKey(otherKey);
  const existing = flows.findKey(hash, otherKey);
  if (existing !== NO_ROW) return isPeer(flows, existing, key, spareKey) ? existing : COLLISION;
  const reply = flows.claim(hash, otherKey, translated[KEY_PROTOCOL]!, TAG_REPLY, now);
  if (reply === NO_ROW) return NO_ROW;
  reverseKey(spareKey, key);
  flows.complete(reply, spareKey, egress, owner);
  return reply;
}

function needsSourceNat(pipeline: Pipeline, i: number, vip: number, requestEgress: number): boolean {
  switch (pipeline.table.sourceNat(vip)) {
    case SOURCE_NAT.none:
      return false;
    case SOURCE_NAT.node:
      return true;
    case SOURCE_NAT.hairpin:
      return isHairpin(pipeline.key, pipeline.translated);
    default: {
      const beforeStack = pipeline.ports.pair(pipeline.batch.port[i]!) >= 0;
      const remote = beforeStack && (requestEgress & EGRESS_PAIR) === 0;
      return remote || isHairpin(pipeline.key, pipeline.translated);
    }
  }
}

/** Whether a reply row belongs to the flow of a request's key. */
function isPeer(flows: FlowTable, reply: number, key: FlowKey, spare: FlowKey): boolean {
  flows.loadTranslation(reply, spare);
  return (
    sameAddress(spare, KEY_SOURCE, key, KEY_DESTINATION) &&
    spare[KEY_PORTS]! >>> 16 === (key[KEY_PORTS]! & 0xffff) &&
    (spare[KEY_PORTS]! & 0xffff) === key[KEY_PORTS]! >>> 16
  );
}

/** A SYN opens a flow; any other segment but RST may continue one that this node never saw. */
function mayOpen(flags: number, strictSyn: boolean): boolean {
  const kind = flags & (SYN | ACK | RST | FIN);
  if (kind === SYN) return true;
  return !strictSyn && (kind & (SYN | RST)) === 0;
}

/**
 * Source addresses that no host on the outside can have. IPv4: 0/8, 127/8, multicast and above (RFC 1122 §3.2.1.3);
 * IPv6: unspecified, loopback, multicast, IPv4-mapped (RFC 4291 §2.5, RFC 6890).
 */
function isMartian(key: FlowKey, isIpv4: boolean): boolean {
  const first = key[KEY_SOURCE + (isIpv4 ? 3 : 0)]! & 0xff;
  if (isIpv4) return first === 0 || first === 127 || first >= 224;
  if (first === 0xff || isMapped(key, KEY_SOURCE)) return true;
  const upper = key[KEY_SOURCE]! | key[KEY_SOURCE + 1]! | key[KEY_SOURCE + 2]!;
  const last = key[KEY_SOURCE + 3]!;
  return upper === 0 && (last === 0 || last === 0x01000000);
}

function wayToBackend(pipeline: Pipeline, i: number): number {
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
function wayToClient(pipeline: Pipeline, i: number, requestEgress: number): number {
  if ((requestEgress & EGRESS_PAIR) !== 0) return egressWord(0, 0, EGRESS_PAIR | EGRESS_KEEP_MAC);
  return wayTo(pipeline, i, pipeline.key, KEY_SOURCE);
}

/** Route and neighbour for an address; asks for the neighbour when it is not known. */
function wayTo(pipeline: Pipeline, i: number, words: Int32Array, at: number): number {
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

function refuse(pipeline: Pipeline, i: number, reason: number): number {
  pipeline.drop(i, reason);
  return NO_ROW;
}
