/**
 * ICMP errors about our flows, in both directions: a router or host complains about a packet that we translated, and
 * quotes it as we sent it. The one who sent the packet knows it only as it was before, so the quote is translated back
 * (RFC 5508 §4.2, RFC 7915 §4.2 for the inner part).
 *
 *   client --A--> VIP ==we==> client --B--> backend       an error that quotes B goes to the client, quoting A
 *
 * The key of the flow's other direction is the quote turned round: the row that it finds leads where the error must go,
 * and its translation, turned round, is what the quote becomes. A quote of 28 bytes is enough: header and ports.
 */
import { delta32, fold, sumBytes, TTL_DECREMENT_DELTA } from "../wire/checksum.ts";
import {
  ICMP_CHECKSUM,
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_HEADER_BYTES,
  ICMP_UNREACHABLE,
  ICMP6_PACKET_TOO_BIG,
} from "../wire/icmp.ts";
import {
  IPV4_CHECKSUM,
  IPV4_DESTINATION,
  IPV4_HEADER_BYTES,
  IPV4_SOURCE,
  IPV4_TTL,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  RAW_FRAGMENT_MASK,
} from "../wire/ipv4.ts";
import {
  FOUND_PROTOCOL,
  IPV6_DESTINATION,
  IPV6_HEADER_BYTES,
  IPV6_HOP_LIMIT,
  IPV6_SOURCE,
  PROTOCOL_ICMPV6,
  walkExtensions,
} from "../wire/ipv6.ts";
import { transportChecksum } from "../wire/pseudo-header.ts";
import { ADDRESS_WORDS, sameAddress } from "../wire/raw.ts";
import { TCP_CHECKSUM, UDP_CHECKSUM } from "../wire/transport.ts";
import { PROTOCOL_IPIP, PROTOCOL_IPV6 } from "../wire/tunnel.ts";
import { DropReason } from "./drop-reason.ts";
import { dress } from "./dsr-dress.ts";
import { plainGrowth } from "./dsr-send.ts";
import { EGRESS_DECREMENT_TTL, EGRESS_DSR } from "./egress.ts";
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, reverseKey } from "./flow-key.ts";
import { NO_ROW } from "./flow-table.ts";
import { NO_LIMIT } from "./path-mtu.ts";
import type { Pipeline } from "./pipeline.ts";

/** Ports, or their like: all of the transport header that a quote must have (RFC 792). */
const QUOTED_TRANSPORT_BYTES = 8;

/** What every host can take in one piece (RFC 791 §3.2), and every link carries (RFC 8200 §5). */
const LEAST_MTU4 = 576;
const LEAST_MTU6 = 1280;

const quoted = new Int32Array(2);

/**
 * Translates an error whose own headers and checksum are in order, and gives it its verdict.
 * @param toOurs whether the error is addressed to an address that we own.
 */
export function relateIcmp(pipeline: Pipeline, i: number, isIpv4: boolean, toOurs: boolean): void {
  const { batch, key, otherKey, translated, spareKey } = pipeline;
  const icmp = batch.transport[i]!;
  const quote = icmp + ICMP_HEADER_BYTES;
  const transport = quotedTransport(pipeline, isIpv4, quote, batch.end[i]!);
  if (transport < 0) {
    unrelated(pipeline, i, toOurs);
    return;
  }
  const protocol = quoted[FOUND_PROTOCOL]!;
  pipeline.loadKey(key, isIpv4, quote, transport, protocol);
  if (learnPathMtu(pipeline, i, isIpv4, icmp, protocol)) return;
  reverseKey(otherKey, key);
  const flows = pipeline.flowsOf(isIpv4);
  const row = flows.findKey(flows.hashKey(otherKey), otherKey);
  if (row === NO_ROW) {
    unrelated(pipeline, i, toOurs);
    return;
  }
  const egress = flows.words[row + flows.layout.egress]!;
  const network = batch.network[i]!;
  const ttlAt = network + (isIpv4 ? IPV4_TTL : IPV6_HOP_LIMIT);
  const ttl = pipeline.view.getUint8(ttlAt);
  const isDsr = (egress & EGRESS_DSR) !== 0;
  const growth = isDsr ? plainGrowth(pipeline, i, isIpv4, row) : 0;
  if (growth < 0) return;
  const port = pipeline.leave(i, egress, ttl, growth);
  if (port < 0) return;
  if ((egress & EGRESS_DECREMENT_TTL) !== 0) pipeline.view.setUint8(ttlAt, ttl - 1);

  flows.loadTranslation(row, translated);
  reverseKey(spareKey, translated);
  translateQuote(pipeline, isIpv4, quote, transport, batch.end[i]!, protocol, key, spareKey);
  translateOuter(pipeline, isIpv4, network, (egress & EGRESS_DECREMENT_TTL) !== 0, key, translated);
  rewriteChecksum(pipeline, i, isIpv4, network, icmp);
  if (isDsr) dress(pipeline, i, isIpv4, row, port, growth);
  pipeline.transmit(i, port);
}

/**
 * An error about one of our tunnels (path-mtu.ts), whose quoted outer header is in `pipeline.key`. Only what a router may say
 * is believed: no less than every link of the family carries (RFC 1191 §3, RFC 8201 §4).
 * @returns whether it was one.
 */
function learnPathMtu(pipeline: Pipeline, i: number, isIpv4: boolean, icmp: number, protocol: number): boolean {
  const { view, table, key } = pipeline;
  const isTunnel = protocol === PROTOCOL_IPIP || protocol === PROTOCOL_IPV6 || protocol === PROTOCOL_UDP;
  if (!isTunnel || !table.dsr.isEnd(key, KEY_SOURCE)) return false;
  const tooBig = isIpv4
    ? view.getUint16(icmp) === (ICMP_UNREACHABLE << 8) + ICMP_FRAGMENTATION_NEEDED
    : view.getUint8(icmp) === ICMP6_PACKET_TOO_BIG;
  const mtu = isIpv4 ? view.getUint16(icmp + 6) : view.getUint32(icmp + 4);
  const least = isIpv4 ? LEAST_MTU4 : LEAST_MTU6;
  if (!tooBig || mtu < least || mtu > NO_LIMIT) return false;
  pipeline.pathMtus.learn(key, KEY_DESTINATION, mtu, pipeline.now);
  pipeline.drop(i, DropReason.TunnelPathMtu);
  return true;
}

/** Offset of the quoted packet's transport header; -1 when the quote is too short, a later fragment, or no packet. */
function quotedTransport(pipeline: Pipeline, isIpv4: boolean, quote: number, end: number): number {
  const { view } = pipeline;
  let transport: number;
  if (isIpv4) {
    if (quote + IPV4_HEADER_BYTES > end) return -1;
    const versionAndLength = view.getUint8(quote);
    const headerBytes = (versionAndLength & 0x0f) << 2;
    if (versionAndLength >>> 4 !== 4 || headerBytes < IPV4_HEADER_BYTES) return -1;
    // The ports are in the first fragment only; a quote of that one has its offset 0.
    if ((view.getUint16(quote + 6, true) & RAW_FRAGMENT_MASK & ~0x0020) !== 0) return -1;
    quoted[FOUND_PROTOCOL] = view.getUint8(quote + IPV4_TTL + 1);
    transport = quote + headerBytes;
  } else {
    if (quote + IPV6_HEADER_BYTES > end || view.getUint8(quote) >>> 4 !== 6) return -1;
    transport = walkExtensions(view, quote, end, quoted);
    if (transport < 0) return -1;
  }
  return transport + QUOTED_TRANSPORT_BYTES > end ? -1 : transport;
}

/** Puts the quoted packet back as its sender knows it, and its checksums where they are in the quote. */
export function translateQuote(
  pipeline: Pipeline,
  isIpv4: boolean,
  quote: number,
  transport: number,
  end: number,
  protocol: number,
  from: FlowKey,
  to: FlowKey,
): void {
  const { view } = pipeline;
  let addresses = 0;
  for (let word = 0; word < 2 * ADDRESS_WORDS; word++) addresses = fold(addresses + delta32(from[word]!, to[word]!));
  storeAddresses(view, isIpv4, quote, to, KEY_SOURCE, KEY_DESTINATION);
  view.setInt32(transport, to[KEY_PORTS]!, true);
  if (isIpv4) applyAt(view, quote + IPV4_CHECKSUM, addresses);
  const field = protocol === PROTOCOL_TCP ? TCP_CHECKSUM : protocol === PROTOCOL_UDP ? UDP_CHECKSUM : -1;
  if (field < 0 || transport + field + 2 > end) return;
  if (protocol === PROTOCOL_UDP && view.getUint16(transport + field) === 0) return;
  applyAt(view, transport + field, fold(addresses + delta32(from[KEY_PORTS]!, to[KEY_PORTS]!)));
}

/** The error itself goes to whoever sent the quoted packet. Where it comes from the quoted packet's target, it keeps to that. */
function translateOuter(
  pipeline: Pipeline,
  isIpv4: boolean,
  network: number,
  decremented: boolean,
  asQuoted: FlowKey,
  translated: FlowKey,
): void {
  const { view, otherKey } = pipeline;
  pipeline.loadKey(otherKey, isIpv4, network, network, 0);
  const fromTarget = sameAddress(otherKey, KEY_SOURCE, asQuoted, KEY_DESTINATION);
  const source = fromTarget ? translated : otherKey;
  let delta = decremented ? TTL_DECREMENT_DELTA : 0;
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    delta = fold(delta + delta32(otherKey[KEY_SOURCE + word]!, source[KEY_SOURCE + word]!));
    delta = fold(delta + delta32(otherKey[KEY_DESTINATION + word]!, translated[KEY_DESTINATION + word]!));
  }
  if (isIpv4) {
    applyAt(view, network + IPV4_CHECKSUM, delta);
    view.setInt32(network + IPV4_SOURCE, source[KEY_SOURCE + 3]!, true);
    view.setInt32(network + IPV4_DESTINATION, translated[KEY_DESTINATION + 3]!, true);
    return;
  }
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    view.setInt32(network + IPV6_SOURCE + 4 * word, source[KEY_SOURCE + word]!, true);
    view.setInt32(network + IPV6_DESTINATION + 4 * word, translated[KEY_DESTINATION + word]!, true);
  }
}

function rewriteChecksum(pipeline: Pipeline, i: number, isIpv4: boolean, network: number, icmp: number): void {
  const { view, batch } = pipeline;
  const bytes = batch.end[i]! - icmp;
  view.setUint16(icmp + ICMP_CHECKSUM, 0);
  const checksum = isIpv4
    ? ~sumBytes(view, icmp, bytes) & 0xffff
    : transportChecksum(view, false, network, PROTOCOL_ICMPV6, icmp, bytes);
  view.setUint16(icmp + ICMP_CHECKSUM, checksum, true);
}

function storeAddresses(
  view: DataView,
  isIpv4: boolean,
  at: number,
  key: FlowKey,
  source: number,
  destination: number,
): void {
  if (isIpv4) {
    view.setInt32(at + IPV4_SOURCE, key[source + 3]!, true);
    view.setInt32(at + IPV4_DESTINATION, key[destination + 3]!, true);
    return;
  }
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    view.setInt32(at + IPV6_SOURCE + 4 * word, key[source + word]!, true);
    view.setInt32(at + IPV6_DESTINATION + 4 * word, key[destination + word]!, true);
  }
}

function applyAt(view: DataView, at: number, delta: number): void {
  view.setUint16(at, ~fold((~view.getUint16(at, true) & 0xffff) + delta) & 0xffff, true);
}

/** An error about nothing of ours: dropped when it came to our address, else the kernel's. */
function unrelated(pipeline: Pipeline, i: number, toOurs: boolean): void {
  if (toOurs) pipeline.drop(i, DropReason.IcmpUnrelated);
  else pipeline.pass(i, DropReason.NotOurAddress);
}
