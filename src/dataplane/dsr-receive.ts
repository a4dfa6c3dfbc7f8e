/**
 * Direct server return, the receiving side: requests that another gateway sends to a pod of this node. The flow is
 * remembered with both rows, so that the pod's replies leave with the VIP as their source, straight to the client.
 *
 *   IPIP, GUE   opened; the packet inside is the client's own, to the VIP: served as if it had come here, by local pods
 *   Geneve      opened; the packet inside goes to the pod, the tunnel's option says for whom
 *   option      the packet goes to the pod, its own option says for whom
 *
 * A tunnel is opened when it comes to our end from a permitted source, and what is inside goes to an address that we
 * serve or to a local pod. Whoever can make a node open tunnels reaches what only the node should reach
 * (CVE-2020-10136). An option has no sender to ask; it counts when the VIP that it names has that very pod as backend.
 */
import { applyDelta, delta32, fold, sumBytes } from "../wire/checksum.ts";
import { carriesDsrOption, readDsrOption } from "../wire/dsr-option.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import { IPV4_CHECKSUM, IPV4_HEADER_BYTES, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { IPV6_HEADER_BYTES } from "../wire/ipv6.ts";
import { pseudoHeaderSum } from "../wire/pseudo-header.ts";
import { copyAddress, isMapped, sameAddress } from "../wire/raw.ts";
import { SYN, TCP_FLAGS, UDP_CHECKSUM, UDP_LENGTH } from "../wire/transport.ts";
import { ipVersion, openGue, PROTOCOL_IPIP, PROTOCOL_IPV6, trafficClass, udpPayload } from "../wire/tunnel.ts";
import { isMartian, mayOpen } from "./admission.ts";
import { DropReason } from "./drop-reason.ts";
import { openGeneve } from "./dsr-geneve.ts";
import { hopAt } from "./dsr-send.ts";
import { DsrKind, dsrActions, dsrKind, receivesDsr, sendsDsr } from "./egress.ts";
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE } from "./flow-key.ts";
import { openRequest, openRows, refuse } from "./flow-rows.ts";
import { NO_ROW } from "./flow-table.ts";
import { NO_BACKEND } from "./forwarding-layout.ts";
import { NO_VIP } from "./forwarding-table.ts";
import { heldBy } from "./mid-flow.ts";
import type { Pipeline } from "./pipeline.ts";
import { NO_EGRESS, wayTo, wayToBackend, wayToClient } from "./way-out.ts";

/** Congestion Experienced, and the field that it is in (RFC 3168 §5). */
const ECN = 3;
const ECN_CE = 3;

/** Whether a UDP datagram, whose key is `pipeline.key`, comes to one of our ends of tunnels. */
export function isTunnel({ batch, key, table }: Pipeline, i: number): boolean {
  if (batch.protocol[i] !== PROTOCOL_UDP) return false;
  const port = key[KEY_PORTS]! >>> 16;
  return (port === table.dsr.guePort || port === table.dsr.genevePort) && table.dsr.isEnd(key, KEY_DESTINATION);
}

/**
 * Takes the packet out of a tunnel: the batch then has it as its frame, classified. What the tunnel said about it is in
 * `pipeline.served`, and `pipeline.tunnelled` is set until the caller is done with the frame.
 * @returns whether there is one; else the frame has its verdict.
 */
export function decapsulate(pipeline: Pipeline, i: number): boolean {
  const { batch, view, bytes, table, key } = pipeline;
  const outer = batch.network[i]!;
  const end = batch.end[i]!;
  pipeline.loadKey(key, ipVersion(view, outer) === 4, outer, outer, 0);
  if (!table.dsr.isEnd(key, KEY_DESTINATION)) {
    if (table.owns(key, KEY_DESTINATION)) pipeline.drop(i, DropReason.ProtocolNotServed);
    else pipeline.pass(i, DropReason.ProtocolNotServed);
    return false;
  }
  if (!table.dsr.isPeer(key, KEY_SOURCE)) {
    pipeline.pass(i, DropReason.TunnelStranger);
    return false;
  }
  const inner = isIntact(pipeline, i, end) ? innerPacket(pipeline, i, end) : -1;
  const version = inner < 0 || inner + IPV4_HEADER_BYTES > end ? 0 : ipVersion(view, inner);
  const isWhole = version === 4 || (version === 6 && inner + IPV6_HEADER_BYTES <= end);
  if (!isWhole || !isForUs(pipeline, version === 4, inner) || !keepCongestion(view, outer, inner)) {
    pipeline.drop(i, DropReason.TunnelInvalid);
    return false;
  }
  const link = batch.offset[i]!;
  const start = inner - ETHERNET_HEADER_BYTES;
  rememberTunnel(pipeline, i, start);
  bytes.copyWithin(start, link, outer - 2);
  view.setUint16(inner - 2, version === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  batch.offset[i] = start;
  batch.length[i] = end - start;
  pipeline.tunnelled = true;
  pipeline.reclassify(i);
  return true;
}

/** Words of `pipeline.tunnel`: offset and length of the frame, and the 14 bytes that the inner link header takes. */
export const TUNNEL_WORDS = 6;

function rememberTunnel({ batch, view, tunnel }: Pipeline, i: number, start: number): void {
  tunnel[0] = batch.offset[i]!;
  tunnel[1] = batch.length[i]!;
  for (let word = 0; word < 3; word++) tunnel[2 + word] = view.getInt32(start + 4 * word, true);
  tunnel[5] = view.getUint16(start + 12, true);
}

/** Puts a packet that `decapsulate` has just taken out of its tunnel back into it; nothing else has changed it. */
export function restoreTunnel({ batch, view, tunnel }: Pipeline, i: number): void {
  const start = batch.offset[i]!;
  for (let word = 0; word < 3; word++) view.setInt32(start + 4 * word, tunnel[2 + word]!, true);
  view.setUint16(start + 12, tunnel[5]!, true);
  batch.offset[i] = tunnel[0]!;
  batch.length[i] = tunnel[1]!;
}

/** Whether the checksum of a tunnel in UDP holds. Tunnels may go without, over IPv6 as well (RFC 6935 §5). */
function isIntact({ batch, view }: Pipeline, i: number, end: number): boolean {
  const udp = batch.transport[i]!;
  if (batch.protocol[i] !== PROTOCOL_UDP || view.getUint16(udp + UDP_CHECKSUM) === 0) return true;
  const outer = batch.network[i]!;
  const bytes = view.getUint16(udp + UDP_LENGTH);
  const pseudo = pseudoHeaderSum(view, ipVersion(view, outer) === 4, outer, PROTOCOL_UDP, bytes);
  return udp + bytes <= end && fold(pseudo + sumBytes(view, udp, bytes)) === 0xffff;
}

/** Offset of the packet inside, -1 when the tunnel is not in order. Fills in `served`. */
function innerPacket(pipeline: Pipeline, i: number, end: number): number {
  const { batch, view, table, served } = pipeline;
  const at = batch.transport[i]!;
  const protocol = batch.protocol[i]!;
  served[KEY_PROTOCOL] = 0;
  if (protocol === PROTOCOL_IPIP || protocol === PROTOCOL_IPV6) {
    const version = at < end ? ipVersion(view, at) : 0;
    return version === (protocol === PROTOCOL_IPIP ? 4 : 6) ? at : -1;
  }
  if (view.getUint16(at + 2, true) === table.dsr.guePort) return openGue(view, udpPayload(at), end);
  const ethernet = openGeneve(view, udpPayload(at), end, served);
  if (ethernet < 0) return -1;
  const etherType = view.getUint16(ethernet + 12);
  return etherType === ETHERTYPE_IPV4 || etherType === ETHERTYPE_IPV6 ? ethernet + ETHERNET_HEADER_BYTES : -1;
}

function isForUs(pipeline: Pipeline, isIpv4: boolean, inner: number): boolean {
  const { table, key } = pipeline;
  pipeline.loadKey(key, isIpv4, inner, inner, 0);
  return table.owns(key, KEY_DESTINATION) || table.isLocalPod(key, KEY_DESTINATION);
}

/** RFC 6040 §4.2: congestion that the tunnel met is told on; a packet that can't be told is lost, as it would have been. */
function keepCongestion(view: DataView, outer: number, inner: number): boolean {
  if ((trafficClass(view, outer) & ECN) !== ECN_CE) return true;
  const ecn = trafficClass(view, inner) & ECN;
  if (ecn === 0) return false;
  if (ecn === ECN_CE) return true;
  if (ipVersion(view, inner) === 6) {
    view.setUint8(inner + 1, view.getUint8(inner + 1) | (ECN_CE << 4));
    return true;
  }
  const before = view.getUint16(inner, true);
  view.setUint8(inner + 1, view.getUint8(inner + 1) | ECN_CE);
  const checksum = view.getUint16(inner + IPV4_CHECKSUM, true);
  const after = applyDelta(checksum, delta32(before, view.getUint16(inner, true)));
  view.setUint16(inner + IPV4_CHECKSUM, after, true);
  return true;
}

/** A flow that this node sends away must not go there again when another node sends it here. */
export function forgetSending(pipeline: Pipeline, i: number, isIpv4: boolean): void {
  const { batch, key } = pipeline;
  const flows = pipeline.flowsOf(isIpv4);
  pipeline.loadKey(key, isIpv4, batch.network[i]!, batch.transport[i]!, batch.protocol[i]!);
  const row = flows.findKey(batch.hash[i]!, key);
  if (row === NO_ROW) return;
  const egress = flows.words[row + flows.layout.egress]!;
  // What is sent on because it is another's connection goes on: down a list that ends, and with a TTL that does.
  if (sendsDsr(egress) && dsrKind(egress) !== DsrKind.Asking) flows.withdraw(row, pipeline.now);
}

/**
 * The first frame of a flow to a local pod; `pipeline.key` is its key.
 * @returns the request row, or NO_ROW when the frame has been dropped or passed.
 */
export function openAtPod(pipeline: Pipeline, i: number, isIpv4: boolean): number {
  const { batch, view, table, key, translated, served } = pipeline;
  const transport = batch.transport[i]!;
  const protocol = batch.protocol[i]!;
  if (!readServed(pipeline, i, isIpv4)) {
    pipeline.pass(i, pipeline.tunnelled ? DropReason.NoStateForSegment : DropReason.NotOurAddress);
    return NO_ROW;
  }
  const ports = key[KEY_PORTS]!;
  copyAddress(served, KEY_SOURCE, key, KEY_SOURCE);
  served[KEY_PORTS] = (ports & 0xffff) | (served[KEY_PORTS]! & ~0xffff);
  served[KEY_PROTOCOL] = protocol;
  const vip = table.vip(served, KEY_DESTINATION, served[KEY_PORTS]! >>> 16, protocol);
  if (vip === NO_VIP) return refuse(pipeline, i, DropReason.NoSuchVip);
  const named = table.member(vip, key, KEY_DESTINATION, ports >>> 16);
  if (named === NO_BACKEND || !table.isLocal(named)) return refuse(pipeline, i, DropReason.NoBackend);
  if (isMartian(key, isIpv4)) return refuse(pipeline, i, DropReason.MartianSource);
  if (!table.allowsSource(vip, key, KEY_SOURCE)) return refuse(pipeline, i, DropReason.SourceNotAllowed);
  if ((ports & 0xffff) === 0) return refuse(pipeline, i, DropReason.PortZero);
  // A segment of a flow in its middle has an option because the sender is new to the flow.
  if (protocol === PROTOCOL_TCP && !mayOpen(view.getUint8(transport + TCP_FLAGS), false)) {
    return refuse(pipeline, i, DropReason.NoStateForSegment);
  }
  const isMiddle = protocol === PROTOCOL_TCP && (view.getUint8(transport + TCP_FLAGS) & SYN) === 0;
  const backend = isMiddle ? heldBy(pipeline, isIpv4, vip, served, named) : named;
  translated.set(key);
  copyAddress(translated, KEY_DESTINATION, table.backends, backend);
  translated[KEY_PORTS] = (ports & 0xffff) | (table.backendPort(backend) << 16);
  const owner = (table.vipId(vip) << 16) | table.backendId(backend);
  if (!table.isLocal(backend)) {
    const way = wayTo(pipeline, i, table.backends, hopAt(table, table.mode(vip), backend));
    if (way === NO_EGRESS) return NO_ROW;
    // What has an option keeps it, so nothing is to be added; and later segments have none and are the kernel's to send on.
    const kind = pipeline.tunnelled ? DsrKind.Asking : DsrKind.Link;
    return openRequest(pipeline, i, pipeline.flowsOf(isIpv4), NO_ROW, way | dsrActions(kind), owner);
  }
  const requestEgress = wayToBackend(pipeline, i);
  if (requestEgress === NO_EGRESS) return NO_ROW;
  const replyEgress = wayToClient(pipeline, i, requestEgress, false, false);
  if (replyEgress === NO_EGRESS) return NO_ROW;
  const egress = requestEgress | dsrActions(DsrKind.Received);
  return openRows(pipeline, i, pipeline.flowsOf(isIpv4), served, egress, replyEgress, owner);
}

/**
 * Whether a SYN that another gateway sent here is for another VIP than the flow of its addresses: to the pod, what a client
 * sends from one port through two VIPs is the same connection.
 */
export function namesAnotherVip(pipeline: Pipeline, i: number, isIpv4: boolean, row: number, reply: number): boolean {
  const flows = pipeline.flowsOf(isIpv4);
  if (!receivesDsr(flows.words[row + flows.layout.egress]!) || !readServed(pipeline, i, isIpv4)) return false;
  const { served, spareKey } = pipeline;
  flows.loadTranslation(reply, spareKey);
  return (
    !sameAddress(spareKey, KEY_SOURCE, served, KEY_DESTINATION) ||
    (spareKey[KEY_PORTS]! & 0xffff) !== served[KEY_PORTS]! >>> 16
  );
}

/** Reads for whom a request is into `served`: destination, and its port where keys have it. */
function readServed(pipeline: Pipeline, i: number, isIpv4: boolean): boolean {
  const { batch, view, table, served } = pipeline;
  if (pipeline.tunnelled && served[KEY_PROTOCOL] !== 0) return isMapped(served, KEY_DESTINATION) === isIpv4;
  const network = batch.network[i]!;
  if (!carriesDsrOption(view, isIpv4, network, batch.transport[i]!)) return false;
  served[KEY_PORTS] = readDsrOption(view, isIpv4, network, served, KEY_DESTINATION, table.dsr.networkOrder) << 16;
  return true;
}
