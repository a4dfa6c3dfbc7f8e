/**
 * Direct server return, the sending side: requests of VIPs whose backends answer clients themselves. Such a flow has a
 * request row only, whose egress word has EGRESS_DSR and the kind.
 *
 *   Option         destination becomes the backend; the VIP goes into an option of the IP header
 *   Geneve         likewise; in a tunnel to the backend's node, the VIP in an option of the tunnel
 *   Ipip, Gue      the packet as it is, its TTL too, in a tunnel
 *   Link           the frame as it is, to the MAC of the backend or, where that has one, of its node
 *
 * A tunnel is no way round the TTL: a packet whose own ends here is answered and not wrapped (RFC 2003 §3.1), so that a
 * traceroute shows this node. One that goes on keeps it, as backends that open such tunnels themselves are used to from
 * Cilium and Katran; it can't circle, for what came in a tunnel goes no further than the node that opens it, or is sent on
 * with a TTL that falls (mid-flow.ts).
 *
 * The forwarder asks for the growth first, so that what would be too long is answered while it still is as the client
 * sent it; then it translates as ever (to the same, where nothing changes); then it has the frame dressed.
 */

import {
  addDsrOption4,
  addDsrOption6,
  carriesDsrOption,
  DSR_OPTION4_BYTES,
  DSR_OPTION6_BYTES,
  dropDsrOption4,
  dropDsrOption6,
  MAX_IPV4_HEADER_BYTES,
} from "../wire/dsr-option.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import { IPV4_HEADER_BYTES, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { HOP_BY_HOP, IPV6_HEADER_BYTES, IPV6_NEXT_HEADER } from "../wire/ipv6.ts";
import { ADDRESS_WORDS, copyAddress, isMapped, sameAddress } from "../wire/raw.ts";
import { SYN, TCP_FLAGS, UDP_HEADER_BYTES } from "../wire/transport.ts";
import {
  GENEVE_HEADER_BYTES,
  GENEVE_OPTION4_BYTES,
  GENEVE_OPTION6_BYTES,
  outerHeaderBytes,
  PROTOCOL_IPIP,
  PROTOCOL_IPV6,
  sealUdp6,
  trafficClass,
  writeGeneve,
  writeGeneveOption,
  writeOuterAddresses6,
  writeOuterIpv4,
  writeOuterIpv6,
  writeUdp,
} from "../wire/tunnel.ts";
import { DropReason } from "./drop-reason.ts";
import { DsrKind, dsrActions, dsrKind, EGRESS_CHECK_TTL, EGRESS_DECREMENT_TTL } from "./egress.ts";
import { KEY_DESTINATION, KEY_PORTS } from "./flow-key.ts";
import { openRequest, refuse } from "./flow-rows.ts";
import { type FlowTable, NO_ROW } from "./flow-table.ts";
import { MODE_NAT, NO_BACKEND } from "./forwarding-layout.ts";
import type { ForwardingTable } from "./forwarding-table.ts";
import { FrameKind } from "./frame-batch.ts";
import { offloadSending } from "./offload.ts";
import { NO_LIMIT } from "./path-mtu.ts";
import type { Pipeline } from "./pipeline.ts";
import { NO_EGRESS, wayTo } from "./way-out.ts";

/** What the growth functions answer when the frame has been dropped. */
const DROPPED = -1;
/** A flow that came here in its middle tells the backend's node so often whom it is for: one frame may get lost. */
const MID_FLOW_REPEATS = 3;
const GENEVE_INNER_BYTES = GENEVE_HEADER_BYTES + ETHERNET_HEADER_BYTES;
/** Dynamic ports (RFC 6335 §6): the source port of a tunnel only tells flows apart. */
const FIRST_SOURCE_PORT = 0xc000;

/**
 * The first frame of a flow to a backend that answers for itself; `pipeline.key` is its key.
 * @param asks whether another backend may have the flow, so that this one's node should say. @returns the row.
 */
export function openDsrFlow(
  pipeline: Pipeline,
  i: number,
  isIpv4: boolean,
  vip: number,
  backend: number,
  asks: boolean,
): number {
  const { table, key, translated, fib } = pipeline;
  const kind = table.mode(vip);
  const hop = hopAt(table, kind, backend);
  const sameFamily = isMapped(table.backends, backend) === isIpv4;
  if (isTunnelKind(kind) && !table.dsr.hasEnd(isMapped(table.backends, hop))) {
    return refuse(pipeline, i, DropReason.NoTunnelAddress);
  }
  translated.set(key);
  if (kind === DsrKind.Option || kind === DsrKind.Geneve) {
    copyAddress(translated, KEY_DESTINATION, table.backends, backend);
    translated[KEY_PORTS] = (key[KEY_PORTS]! & 0xffff) | (table.backendPort(backend) << 16);
  }
  if (!sameFamily && kind !== DsrKind.Ipip && kind !== DsrKind.Gue) return refuse(pipeline, i, DropReason.NoBackend);
  const way = wayTo(pipeline, i, table.backends, hop);
  if (way === NO_EGRESS) return NO_ROW;
  if (kind === DsrKind.Link && fib.hasGateway(fib.lookup(table.backends, hop))) {
    return refuse(pipeline, i, DropReason.BackendNotOnLink);
  }
  // Two nodes that send over the link and disagree on the backend must not do so for ever.
  const byNode = kind === DsrKind.Link && !sameAddress(table.backends, hop, table.backends, backend);
  const isSentOn = pipeline.tunnelled;
  const keepsTtl = (kind === DsrKind.Ipip || kind === DsrKind.Gue) && !isSentOn ? EGRESS_DECREMENT_TTL : 0;
  const bridged = kind === DsrKind.Link && !byNode ? EGRESS_DECREMENT_TTL | EGRESS_CHECK_TTL : 0;
  const egress = way & ~(keepsTtl | bridged);
  const owner = (table.vipId(vip) << 16) | table.backendId(backend);
  const says = kind === DsrKind.Option || kind === DsrKind.Geneve || isSentOn;
  const actions = dsrActions(asks && says ? DsrKind.Asking : kind);
  return openRequest(pipeline, i, pipeline.flowsOf(isIpv4), NO_ROW, egress | actions, owner);
}

/** Where in `table.backends` the address is that a DSR request is sent to. */
export function hopAt(table: ForwardingTable, kind: number, backend: number): number {
  return kind === DsrKind.Link || isTunnelKind(kind) ? table.tunnelAt(backend) : backend;
}

/** Bytes that a request gains; DROPPED when it can't have them and has been dropped. */
export function requestGrowth(pipeline: Pipeline, i: number, isIpv4: boolean, row: number): number {
  return growth(pipeline, i, isIpv4, row, informs(pipeline, i, isIpv4, row));
}

/** Likewise of what goes the flow's way but needs no option: an ICMP error about it, a later fragment. */
export function plainGrowth(pipeline: Pipeline, i: number, isIpv4: boolean, row: number): number {
  return growth(pipeline, i, isIpv4, row, false);
}

/**
 * Whether a frame is to tell whom it is for: every datagram, as UDP has no beginning; of TCP each SYN, and the first frames
 * of a flow that began elsewhere. What is sent on tells it already.
 */
function informs(pipeline: Pipeline, i: number, isIpv4: boolean, row: number): boolean {
  const { words, layout } = pipeline.flowsOf(isIpv4);
  const { batch, view } = pipeline;
  if (dsrKind(words[row + layout.egress]!) === DsrKind.Asking) {
    return pipeline.tunnelled || !carriesDsrOption(view, isIpv4, batch.network[i]!, batch.transport[i]!);
  }
  if (batch.protocol[i] !== PROTOCOL_TCP) return true;
  if ((view.getUint8(batch.transport[i]! + TCP_FLAGS) & SYN) !== 0) return true;
  const began = (words[row + layout.state]! & SYN) !== 0;
  return !began && words[row + layout.packets + 1] === 0 && words[row + layout.packets]! >>> 0 < MID_FLOW_REPEATS;
}

function growth(pipeline: Pipeline, i: number, isIpv4: boolean, row: number, informing: boolean): number {
  const flows = pipeline.flowsOf(isIpv4);
  const { words, layout } = flows;
  const kind = sentKind(pipeline.table, flows, row);
  pipeline.pathMtu = NO_LIMIT;
  const asks = dsrKind(words[row + layout.egress]!) === DsrKind.Asking;
  if (pipeline.offloads && kind !== DsrKind.Received && !asks) offloadSending(flows, row);
  if (kind === DsrKind.Link || kind === DsrKind.Received) return 0;
  if (kind === DsrKind.Option) return informing ? optionGrowth(pipeline, i, isIpv4) : 0;
  const backend = pipeline.table.backendOf(words[row + layout.owner]!);
  if (backend === NO_BACKEND) {
    pipeline.drop(i, DropReason.NoBackend);
    return DROPPED;
  }
  const outerIsIpv4 = isMapped(pipeline.table.backends, pipeline.table.tunnelAt(backend));
  if (!pipeline.table.dsr.hasEnd(outerIsIpv4)) {
    pipeline.drop(i, DropReason.NoTunnelAddress);
    return DROPPED;
  }
  const remote = pipeline.table.tunnelAt(backend);
  pipeline.pathMtu = pipeline.pathMtus.limit(pipeline.table.backends, remote, pipeline.now);
  const outer = outerHeaderBytes(outerIsIpv4);
  if (kind === DsrKind.Ipip) return outer;
  if (kind === DsrKind.Gue) return outer + UDP_HEADER_BYTES;
  const option = informing ? (isIpv4 ? GENEVE_OPTION4_BYTES : GENEVE_OPTION6_BYTES) : 0;
  return outer + UDP_HEADER_BYTES + GENEVE_INNER_BYTES + option;
}

/** The kind by which a row's requests leave: of one that asks, the mode of its VIP. */
export function sentKind(table: ForwardingTable, { words, layout }: FlowTable, row: number): number {
  const kind = dsrKind(words[row + layout.egress]!);
  if (kind !== DsrKind.Asking) return kind;
  const mode = table.modeOf(words[row + layout.owner]!);
  return mode === MODE_NAT ? DsrKind.Option : mode;
}

function optionGrowth(pipeline: Pipeline, i: number, isIpv4: boolean): number {
  const { batch, view } = pipeline;
  const network = batch.network[i]!;
  // Hop-by-hop options must stay first behind the IPv6 header (RFC 8200 §4.3), and receivers look for ours there.
  const fits = isIpv4
    ? batch.transport[i]! - network + DSR_OPTION4_BYTES <= MAX_IPV4_HEADER_BYTES
    : view.getUint8(network + IPV6_NEXT_HEADER) !== HOP_BY_HOP;
  if (fits) return isIpv4 ? DSR_OPTION4_BYTES : DSR_OPTION6_BYTES;
  pipeline.drop(i, DropReason.DsrOptionNoRoom);
  return DROPPED;
}

/** Gives a translated frame what its kind asks for, or takes it off; `bytes` is what a growth function has said. */
export function dress(
  pipeline: Pipeline,
  i: number,
  isIpv4: boolean,
  row: number,
  outPort: number,
  bytes: number,
): void {
  const kind = sentKind(pipeline.table, pipeline.flowsOf(isIpv4), row);
  if (kind === DsrKind.Link) return;
  if (kind === DsrKind.Received) removeOption(pipeline, i, isIpv4);
  else if (kind !== DsrKind.Option) wrap(pipeline, i, isIpv4, row, kind, outPort, bytes);
  else if (bytes > 0) insertOption(pipeline, i, isIpv4, row);
}

function insertOption(pipeline: Pipeline, i: number, isIpv4: boolean, row: number): void {
  const { batch, view, spareKey, table } = pipeline;
  pipeline.flowsOf(isIpv4).loadKey(row, spareKey);
  const port = spareKey[KEY_PORTS]! >>> 16;
  moveFront(pipeline, i, isIpv4, isIpv4 ? -DSR_OPTION4_BYTES : -DSR_OPTION6_BYTES);
  const network = batch.network[i]!;
  if (isIpv4) {
    addDsrOption4(view, network, spareKey[KEY_DESTINATION + ADDRESS_WORDS - 1]!, port, table.dsr.networkOrder);
  } else {
    addDsrOption6(view, network, spareKey, KEY_DESTINATION, port);
  }
}

/** Takes the option out of a packet, where it has one. */
export function removeOption(pipeline: Pipeline, i: number, isIpv4: boolean): void {
  const { batch, view } = pipeline;
  const network = batch.network[i]!;
  if (!carriesDsrOption(view, isIpv4, network, batch.transport[i]!)) return;
  if (isIpv4) {
    moveFront(pipeline, i, true, DSR_OPTION4_BYTES);
    dropDsrOption4(view, batch.network[i]!);
  } else {
    dropDsrOption6(view, network);
    moveFront(pipeline, i, false, DSR_OPTION6_BYTES);
  }
}

/** Moves link header and the fixed part of the IP header towards the payload, or away from it. */
function moveFront(pipeline: Pipeline, i: number, isIpv4: boolean, by: number): void {
  const { batch, bytes } = pipeline;
  const offset = batch.offset[i]!;
  const network = batch.network[i]!;
  bytes.copyWithin(offset + by, offset, network + (isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES));
  batch.offset[i] = offset + by;
  batch.network[i] = network + by;
  batch.length[i]! -= by;
}

/** Puts the packet into a tunnel whose headers have `grown` bytes altogether. */
function wrap(
  pipeline: Pipeline,
  i: number,
  isIpv4: boolean,
  row: number,
  kind: number,
  outPort: number,
  grown: number,
): void {
  const { batch, view, bytes, table } = pipeline;
  const { words, layout } = pipeline.flowsOf(isIpv4);
  const backend = table.backendOf(words[row + layout.owner]!);
  const remote = table.tunnelAt(backend);
  const outerIsIpv4 = isMapped(table.backends, remote);
  const inner = batch.network[i]!;
  const end = batch.end[i]!;
  const outer = inner - grown;
  const udp = outer + outerHeaderBytes(outerIsIpv4);
  const payloadBytes = end - udp;

  const offset = batch.offset[i]!;
  const start = offset - grown;
  bytes.copyWithin(start, offset, inner - 2);
  view.setUint16(outer - 2, outerIsIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  const protocol = kind !== DsrKind.Ipip ? PROTOCOL_UDP : isIpv4 ? PROTOCOL_IPIP : PROTOCOL_IPV6;
  const tos = trafficClass(view, inner);
  // One number per flow, spread over its bits: what the way there tells flows apart by.
  const entropy = Math.imul(row + 1, 0x9e3779b1) >>> 12;
  const { dsr } = table;
  if (outerIsIpv4) {
    const source = dsr.words[dsr.endAt(true) + ADDRESS_WORDS - 1]!;
    const destination = table.backends[remote + ADDRESS_WORDS - 1]!;
    writeOuterIpv4(view, outer, payloadBytes, protocol, tos, source, destination);
  } else {
    writeOuterIpv6(view, outer, payloadBytes, protocol, tos, entropy);
    writeOuterAddresses6(view, outer, dsr.words, dsr.endAt(false), table.backends, remote);
  }
  if (kind !== DsrKind.Ipip) {
    const port = kind === DsrKind.Gue ? dsr.guePort : dsr.genevePort;
    writeUdp(view, udp, FIRST_SOURCE_PORT | (entropy & 0x3fff), port, payloadBytes);
    if (kind === DsrKind.Geneve) writeGeneveHeaders(pipeline, isIpv4, row, udp + UDP_HEADER_BYTES, inner, outPort);
    if (!outerIsIpv4) {
      // A fragment's checksum is over more than the fragment: all bytes of it are summed up.
      const isWhole = batch.kind[i]! < FrameKind.FirstFragment4;
      const transport = isWhole ? batch.transport[i]! : inner;
      sealUdp6(view, outer, udp, inner, transport, isWhole ? batch.protocol[i]! : 0, end);
    }
  }
  batch.offset[i] = start;
  batch.network[i] = outer;
  batch.length[i] = end - start;
}

/** Header, option where there is room for one, and the Ethernet header of the packet inside: nobody looks at its MACs. */
function writeGeneveHeaders(
  pipeline: Pipeline,
  isIpv4: boolean,
  row: number,
  geneve: number,
  inner: number,
  outPort: number,
): void {
  const { view, table, ports, spareKey } = pipeline;
  const ethernet = inner - ETHERNET_HEADER_BYTES;
  const option = geneve + GENEVE_HEADER_BYTES;
  const optionBytes = ethernet - option;
  writeGeneve(view, geneve, optionBytes, table.dsr.vni);
  if (optionBytes > 0) {
    pipeline.flowsOf(isIpv4).loadKey(row, spareKey);
    // What came in a tunnel is sent on: it says itself whom it is for.
    const asked = pipeline.tunnelled ? pipeline.served : spareKey;
    writeGeneveOption(view, option, optionBytes, asked, KEY_DESTINATION, asked[KEY_PORTS]! >>> 16);
  }
  view.setInt32(ethernet, 0);
  view.setUint16(ethernet + 4, 0);
  view.setInt32(ethernet + 6, ports.macFirst(outPort), true);
  view.setUint16(ethernet + 10, ports.macLast(outPort), true);
  view.setUint16(ethernet + 12, isIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
}

function isTunnelKind(kind: number): boolean {
  return kind === DsrKind.Ipip || kind === DsrKind.Gue || kind === DsrKind.Geneve;
}
