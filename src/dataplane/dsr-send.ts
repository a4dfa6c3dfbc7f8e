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
 * sent it; then it translates as ever (to the same, where nothing changes); then it has the frame dressed (dsr-dress.ts).
 */

import { DSR_OPTION4_BYTES, DSR_OPTION6_BYTES, MAX_IPV4_HEADER_BYTES } from "../wire/dsr-option.ts";
import { ETHERNET_HEADER_BYTES } from "../wire/ethernet.ts";
import { PROTOCOL_TCP } from "../wire/ipv4.ts";
import { HOP_BY_HOP, IPV6_NEXT_HEADER } from "../wire/ipv6.ts";
import { copyAddress, isMapped, sameAddress } from "../wire/raw.ts";
import { SYN, TCP_FLAGS, UDP_HEADER_BYTES } from "../wire/transport.ts";
import { GENEVE_HEADER_BYTES, GENEVE_OPTION4_BYTES, GENEVE_OPTION6_BYTES, outerHeaderBytes } from "../wire/tunnel.ts";
import { DropReason } from "./drop-reason.ts";
import { DsrKind, dsrActions, dsrKind, EGRESS_CHECK_TTL, EGRESS_DECREMENT_TTL } from "./egress.ts";
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL } from "./flow-key.ts";
import { openRequest, refuse } from "./flow-rows.ts";
import { type FlowTable, NO_ROW } from "./flow-table.ts";
import { MODE_NAT, NO_BACKEND } from "./forwarding-layout.ts";
import type { ForwardingTable } from "./forwarding-table.ts";
import { offloadSending } from "./offload.ts";
import { NO_LIMIT } from "./path-mtu.ts";
import type { Pipeline } from "./pipeline.ts";
import { NO_EGRESS, wayTo } from "./way-out.ts";

/** What the growth functions answer when the frame has been dropped. */
const DROPPED = -1;
/** A flow that came here in its middle tells the backend's node so often whom it is for: one frame may get lost. */
const MID_FLOW_REPEATS = 3;
const GENEVE_INNER_BYTES = GENEVE_HEADER_BYTES + ETHERNET_HEADER_BYTES;

/**
 * The first frame of a flow to a backend that answers for itself; `pipeline.key` is its key.
 * @param asks whether another node may have to send it on: one that forwards by its workers alone sees no segment that has
 * no option. @returns the row.
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
  const actions = dsrActions(asks && (isSentOn || !pipeline.offloads) && kind !== DsrKind.Link ? DsrKind.Asking : kind);
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
 * of a flow that began elsewhere. What is sent on tells it when it has been told.
 */
function informs(pipeline: Pipeline, i: number, isIpv4: boolean, row: number): boolean {
  const { words, layout } = pipeline.flowsOf(isIpv4);
  const { batch, view } = pipeline;
  if (dsrKind(words[row + layout.egress]!) === DsrKind.Asking) {
    return !pipeline.tunnelled || pipeline.served[KEY_PROTOCOL] !== 0;
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

function isTunnelKind(kind: number): boolean {
  return kind === DsrKind.Ipip || kind === DsrKind.Gue || kind === DsrKind.Geneve;
}
