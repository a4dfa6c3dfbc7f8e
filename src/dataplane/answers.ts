/**
 * Frames to the gateway itself, answered in place: ARP requests (RFC 826) and Neighbor Solicitations (RFC 4861) for the
 * addresses that this node owns, and echo requests to them (RFC 792, RFC 4443), so that a VIP can be pinged. Other ICMP
 * messages may be errors about our flows: related-icmp.ts.
 */
import {
  ARP_BYTES,
  ARP_REPLY,
  ARP_REQUEST,
  ARP_SENDER_ADDRESS,
  ARP_SENDER_MAC,
  ARP_TARGET_ADDRESS,
  ARP_TARGET_MAC,
  arpOperation,
  isIpv4OverEthernet,
} from "../wire/arp.ts";
import { applyDelta, delta32, fold, sumBytes } from "../wire/checksum.ts";
import { ETHERNET_HEADER_BYTES } from "../wire/ethernet.ts";
import {
  ICMP_CHECKSUM,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_HEADER_BYTES,
  ICMP_PARAMETER_PROBLEM,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  ICMP6_ECHO_REPLY,
  ICMP6_ECHO_REQUEST,
  ICMP6_PARAMETER_PROBLEM,
  NDP_HOP_LIMIT,
  NDP_OPTIONS,
  NDP_OVERRIDE,
  NDP_SOLICITED_OVERRIDE,
  NDP_SOURCE_LINK_ADDRESS,
  NDP_TARGET,
  NDP_TARGET_LINK_ADDRESS,
  NEIGHBOR_ADVERTISEMENT,
  NEIGHBOR_SOLICITATION,
} from "../wire/icmp.ts";
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_SOURCE, IPV4_TTL } from "../wire/ipv4.ts";
import {
  IPV6_DESTINATION,
  IPV6_HEADER_BYTES,
  IPV6_HOP_LIMIT,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
  PROTOCOL_ICMPV6,
} from "../wire/ipv6.ts";
import { pseudoHeaderSum, transportChecksum } from "../wire/pseudo-header.ts";
import { ADDRESS_WORDS, copyAddress, storeMapped } from "../wire/raw.ts";
import { DropReason } from "./drop-reason.ts";
import { KEY_DESTINATION, KEY_SOURCE } from "./flow-key.ts";
import { OWN_TTL } from "./icmp-error.ts";
import type { Pipeline } from "./pipeline.ts";
import { relateIcmp } from "./related-icmp.ts";

export function answerArp(pipeline: Pipeline, i: number): void {
  const { batch, view, table, key } = pipeline;
  const offset = batch.offset[i]!;
  const port = batch.port[i]!;
  const arp = offset + ETHERNET_HEADER_BYTES;
  if (batch.length[i]! < ETHERNET_HEADER_BYTES + ARP_BYTES || !isIpv4OverEthernet(view, arp)) {
    pipeline.drop(i, DropReason.ArpInvalid);
    return;
  }
  const target = view.getInt32(arp + ARP_TARGET_ADDRESS, true);
  storeMapped(key, KEY_SOURCE, view.getInt32(arp + ARP_SENDER_ADDRESS, true));
  storeMapped(key, KEY_DESTINATION, target);
  // Somebody else says that one of our addresses is his: RFC 5227 §2.4.
  if (table.owns(key, KEY_SOURCE)) {
    pipeline.drop(i, DropReason.AddressConflict);
    return;
  }
  if (arpOperation(view, arp) !== ARP_REQUEST || !table.answersFor(key, KEY_DESTINATION, port)) {
    pipeline.pass(i, DropReason.ArpNotOurs);
    return;
  }
  const senderFirst = view.getInt32(arp + ARP_SENDER_MAC, true);
  const senderLast = view.getUint16(arp + ARP_SENDER_MAC + 4, true);
  if ((senderFirst & 1) !== 0 || (senderFirst | senderLast) === 0) {
    pipeline.drop(i, DropReason.ArpInvalid);
    return;
  }
  view.setUint16(arp + 6, ARP_REPLY);
  view.setInt32(arp + ARP_TARGET_ADDRESS, view.getInt32(arp + ARP_SENDER_ADDRESS, true), true);
  view.setInt32(arp + ARP_SENDER_ADDRESS, target, true);
  writeRawMac(view, arp + ARP_TARGET_MAC, senderFirst, senderLast);
  writeOwnMac(pipeline, arp + ARP_SENDER_MAC, port);
  writeRawMac(view, offset, senderFirst, senderLast);
  writeOwnMac(pipeline, offset + 6, port);
  pipeline.reply(i);
}

/** The frame's IPv4 header has been checked by the pipeline's first pass. */
export function answerIcmp4(pipeline: Pipeline, i: number): void {
  const { batch, view, table, key } = pipeline;
  const network = batch.network[i]!;
  const icmp = batch.transport[i]!;
  const source = view.getInt32(network + IPV4_SOURCE, true);
  const destination = view.getInt32(network + IPV4_DESTINATION, true);
  storeMapped(key, KEY_DESTINATION, destination);
  const toOurs = table.owns(key, KEY_DESTINATION);
  const icmpBytes = batch.end[i]! - icmp;
  if (icmpBytes < ICMP_HEADER_BYTES || sumBytes(view, icmp, icmpBytes) !== 0xffff) {
    if (toOurs) pipeline.drop(i, DropReason.IcmpInvalid);
    else pipeline.pass(i, DropReason.NotOurAddress);
    return;
  }
  const type = view.getUint8(icmp);
  if (type === ICMP_UNREACHABLE || type === ICMP_TIME_EXCEEDED || type === ICMP_PARAMETER_PROBLEM) {
    relateIcmp(pipeline, i, true, toOurs);
    return;
  }
  if (!toOurs) {
    pipeline.pass(i, DropReason.NotOurAddress);
    return;
  }
  if (type !== ICMP_ECHO_REQUEST || view.getUint8(icmp + 1) !== 0) {
    pipeline.drop(i, DropReason.IcmpNotHandled);
    return;
  }
  view.setUint8(icmp, ICMP_ECHO_REPLY);
  const checksum = view.getUint16(icmp + ICMP_CHECKSUM, true);
  view.setUint16(icmp + ICMP_CHECKSUM, applyDelta(checksum, delta32(ICMP_ECHO_REQUEST, ICMP_ECHO_REPLY)), true);

  const ttl = view.getUint8(network + IPV4_TTL);
  view.setUint8(network + IPV4_TTL, OWN_TTL);
  // Swapping the two addresses leaves the header's sum as it is.
  const header = view.getUint16(network + IPV4_CHECKSUM, true);
  view.setUint16(network + IPV4_CHECKSUM, applyDelta(header, delta32(ttl, OWN_TTL)), true);
  view.setInt32(network + IPV4_SOURCE, destination, true);
  view.setInt32(network + IPV4_DESTINATION, source, true);
  answerSender(pipeline, i);
}

/** The frame's IPv6 header and extension headers have been checked by the pipeline's first pass. */
export function answerIcmp6(pipeline: Pipeline, i: number): void {
  const { batch, view, table, key } = pipeline;
  const network = batch.network[i]!;
  const icmp = batch.transport[i]!;
  const icmpBytes = batch.end[i]! - icmp;
  pipeline.loadKey(key, false, network, network, PROTOCOL_ICMPV6);
  const toOurs = table.owns(key, KEY_DESTINATION);
  if (icmpBytes < ICMP_HEADER_BYTES || !isSound(view, network, icmp, icmpBytes)) {
    if (toOurs) pipeline.drop(i, DropReason.IcmpInvalid);
    else pipeline.pass(i, DropReason.NotOurAddress);
    return;
  }
  const type = view.getUint8(icmp);
  if (type === NEIGHBOR_SOLICITATION) {
    answerSolicitation(pipeline, i, icmp, icmpBytes);
  } else if (type >= 1 && type <= ICMP6_PARAMETER_PROBLEM) {
    relateIcmp(pipeline, i, false, toOurs);
  } else if (!toOurs) {
    pipeline.pass(i, DropReason.NotOurAddress);
  } else if (type !== ICMP6_ECHO_REQUEST || view.getUint8(icmp + 1) !== 0) {
    pipeline.drop(i, DropReason.IcmpNotHandled);
  } else {
    view.setUint8(icmp, ICMP6_ECHO_REPLY);
    const checksum = view.getUint16(icmp + ICMP_CHECKSUM, true);
    view.setUint16(icmp + ICMP_CHECKSUM, applyDelta(checksum, delta32(ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY)), true);
    view.setUint8(network + IPV6_HOP_LIMIT, OWN_TTL);
    // Source and destination swapped leave the pseudo-header's sum as it is.
    writeAddress(view, network + IPV6_SOURCE, key, KEY_DESTINATION);
    writeAddress(view, network + IPV6_DESTINATION, key, KEY_SOURCE);
    answerSender(pipeline, i);
  }
}

/**
 * RFC 4861 §7.1.1 says which solicitations are valid, §7.2.4 what the answer is. One from the unspecified address asks
 * whether the address is free (RFC 4862 §5.4): the answer goes to all nodes.
 */
function answerSolicitation(pipeline: Pipeline, i: number, icmp: number, icmpBytes: number): void {
  const { batch, bytes, view, table, key, translated } = pipeline;
  const network = batch.network[i]!;
  const port = batch.port[i]!;
  const probe = (key[KEY_SOURCE]! | key[KEY_SOURCE + 1]! | key[KEY_SOURCE + 2]! | key[KEY_SOURCE + 3]!) === 0;
  if (
    icmpBytes < NDP_OPTIONS ||
    view.getUint8(network + IPV6_HOP_LIMIT) !== NDP_HOP_LIMIT ||
    view.getUint8(icmp + 1) !== 0 ||
    !areOptionsSound(view, icmp, icmpBytes, probe) ||
    (probe && !isSolicitedNodeGroup(key, KEY_DESTINATION))
  ) {
    pipeline.drop(i, DropReason.NdpInvalid);
    return;
  }
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    translated[KEY_DESTINATION + word] = view.getInt32(icmp + NDP_TARGET + 4 * word, true);
  }
  if (!table.answersFor(translated, KEY_DESTINATION, port)) {
    pipeline.pass(i, DropReason.NdpNotOurs);
    return;
  }
  copyAddress(translated, KEY_SOURCE, key, KEY_SOURCE);
  if (probe) {
    // ff02::1
    translated[KEY_SOURCE] = 0x000002ff;
    translated[KEY_SOURCE + 1] = 0;
    translated[KEY_SOURCE + 2] = 0;
    translated[KEY_SOURCE + 3] = 0x01000000;
  }
  // The answer has no extension headers, whatever the question had, and one option: our MAC.
  const answer = network + IPV6_HEADER_BYTES;
  const answerBytes = NDP_OPTIONS + 8;
  view.setUint32(network, 0x60000000);
  view.setUint16(network + IPV6_PAYLOAD_LENGTH, answerBytes);
  view.setUint8(network + 6, PROTOCOL_ICMPV6);
  view.setUint8(network + IPV6_HOP_LIMIT, NDP_HOP_LIMIT);
  writeAddress(view, network + IPV6_SOURCE, translated, KEY_DESTINATION);
  writeAddress(view, network + IPV6_DESTINATION, translated, KEY_SOURCE);
  bytes.fill(0, answer, answer + answerBytes);
  view.setUint8(answer, NEIGHBOR_ADVERTISEMENT);
  view.setUint32(answer + 4, probe ? NDP_OVERRIDE : NDP_SOLICITED_OVERRIDE);
  writeAddress(view, answer + NDP_TARGET, translated, KEY_DESTINATION);
  view.setUint8(answer + NDP_OPTIONS, NDP_TARGET_LINK_ADDRESS);
  view.setUint8(answer + NDP_OPTIONS + 1, 1);
  writeOwnMac(pipeline, answer + NDP_OPTIONS + 2, port);
  const checksum = transportChecksum(view, false, network, PROTOCOL_ICMPV6, answer, answerBytes);
  view.setUint16(answer + ICMP_CHECKSUM, checksum, true);
  batch.length[i] = answer + answerBytes - batch.offset[i]!;
  answerSender(pipeline, i);
  // RFC 2464 §7: the group's MAC.
  if (probe) writeRawMac(view, batch.offset[i]!, 0x00003333, 0x0100);
}

/** Each has a length, and ends where the message does at the latest; who has no address yet names no MAC for it. */
function areOptionsSound(view: DataView, icmp: number, icmpBytes: number, probe: boolean): boolean {
  const end = icmp + icmpBytes;
  let at = icmp + NDP_OPTIONS;
  while (at + 2 <= end) {
    const bytes = view.getUint8(at + 1) * 8;
    if (bytes === 0 || (probe && view.getUint8(at) === NDP_SOURCE_LINK_ADDRESS)) return false;
    at += bytes;
  }
  return at === end;
}

/** ff02::1:ff00:0/104 (RFC 4291 §2.7.1). */
function isSolicitedNodeGroup(words: Int32Array, at: number): boolean {
  return (
    words[at] === 0x000002ff && words[at + 1] === 0 && words[at + 2] === 0x01000000 && (words[at + 3]! & 0xff) === 0xff
  );
}

function isSound(view: DataView, network: number, icmp: number, icmpBytes: number): boolean {
  return (
    fold(pseudoHeaderSum(view, false, network, PROTOCOL_ICMPV6, icmpBytes) + sumBytes(view, icmp, icmpBytes)) === 0xffff
  );
}

/** To the MAC that the question came from. */
function answerSender(pipeline: Pipeline, i: number): void {
  const { batch, view } = pipeline;
  const offset = batch.offset[i]!;
  writeRawMac(view, offset, view.getInt32(offset + 6, true), view.getUint16(offset + 10, true));
  writeOwnMac(pipeline, offset + 6, batch.port[i]!);
  pipeline.reply(i);
}

function writeAddress(view: DataView, at: number, words: Int32Array, from: number): void {
  for (let word = 0; word < ADDRESS_WORDS; word++) view.setInt32(at + 4 * word, words[from + word]!, true);
}

function writeOwnMac(pipeline: Pipeline, at: number, port: number): void {
  writeRawMac(pipeline.view, at, pipeline.ports.macFirst(port), pipeline.ports.macLast(port));
}

function writeRawMac(view: DataView, offset: number, first: number, last: number): void {
  view.setInt32(offset, first, true);
  view.setUint16(offset + 4, last, true);
}
