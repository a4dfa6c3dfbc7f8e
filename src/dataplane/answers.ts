/**
 * Frames to the gateway itself, answered in place: ARP requests for the addresses that this node owns (RFC 826) and
 * ICMP echo requests to them (RFC 792), so that a VIP can be pinged.
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
import { applyDelta, delta32, sumBytes } from "../wire/checksum.ts";
import { ETHERNET_HEADER_BYTES } from "../wire/ethernet.ts";
import { ICMP_CHECKSUM, ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, ICMP_HEADER_BYTES } from "../wire/icmp.ts";
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_SOURCE, IPV4_TTL } from "../wire/ipv4.ts";
import { swap16 } from "../wire/raw.ts";
import { DropReason } from "./drop-reason.ts";
import type { Pipeline } from "./pipeline.ts";

/** RFC 1122 §3.2.1.7 leaves the TTL of what we send to us; this is what hosts use today. */
const OWN_TTL = 64;

export function answerArp(pipeline: Pipeline, i: number): void {
  const { view, table } = pipeline;
  const offset = pipeline.batch.offset[i]!;
  const port = pipeline.batch.port[i]!;
  const arp = offset + ETHERNET_HEADER_BYTES;
  if (pipeline.batch.length[i]! < ETHERNET_HEADER_BYTES + ARP_BYTES || !isIpv4OverEthernet(view, arp)) {
    pipeline.drop(i, DropReason.ArpInvalid);
    return;
  }
  // Somebody else says that one of our addresses is his: RFC 5227 §2.4.
  if (table.owns(view.getInt32(arp + ARP_SENDER_ADDRESS, true))) {
    pipeline.drop(i, DropReason.ArpConflict);
    return;
  }
  const target = view.getInt32(arp + ARP_TARGET_ADDRESS, true);
  if (arpOperation(view, arp) !== ARP_REQUEST || !table.answersArp(target, port)) {
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
  writeRawMac(view, arp + ARP_SENDER_MAC, pipeline.ports.macFirst(port), pipeline.ports.macLast(port));
  writeRawMac(view, offset, senderFirst, senderLast);
  writeRawMac(view, offset + 6, pipeline.ports.macFirst(port), pipeline.ports.macLast(port));
  pipeline.reply(i);
}

/** The frame's IPv4 header has been checked by the pipeline's first pass. */
export function answerEcho(pipeline: Pipeline, i: number): void {
  const { view, table } = pipeline;
  const offset = pipeline.batch.offset[i]!;
  const port = pipeline.batch.port[i]!;
  const l3 = offset + ETHERNET_HEADER_BYTES;
  const source = view.getInt32(l3 + IPV4_SOURCE, true);
  const destination = view.getInt32(l3 + IPV4_DESTINATION, true);
  if (!table.owns(destination)) {
    pipeline.pass(i, DropReason.NotOurAddress);
    return;
  }
  const headerBytes = (view.getUint8(l3) & 0x0f) << 2;
  const icmp = l3 + headerBytes;
  const icmpBytes = swap16(view.getUint16(l3 + 2, true)) - headerBytes;
  if (icmpBytes < ICMP_HEADER_BYTES || sumBytes(view, icmp, icmpBytes) !== 0xffff) {
    pipeline.drop(i, DropReason.IcmpInvalid);
    return;
  }
  if (view.getUint8(icmp) !== ICMP_ECHO_REQUEST || view.getUint8(icmp + 1) !== 0) {
    pipeline.drop(i, DropReason.IcmpNotHandled);
    return;
  }
  view.setUint8(icmp, ICMP_ECHO_REPLY);
  const checksum = view.getUint16(icmp + ICMP_CHECKSUM, true);
  view.setUint16(icmp + ICMP_CHECKSUM, applyDelta(checksum, delta32(ICMP_ECHO_REQUEST, ICMP_ECHO_REPLY)), true);

  const ttl = view.getUint8(l3 + IPV4_TTL);
  view.setUint8(l3 + IPV4_TTL, OWN_TTL);
  // Swapping the two addresses leaves the header's sum as it is.
  const header = view.getUint16(l3 + IPV4_CHECKSUM, true);
  view.setUint16(l3 + IPV4_CHECKSUM, applyDelta(header, delta32(ttl, OWN_TTL)), true);
  view.setInt32(l3 + IPV4_SOURCE, destination, true);
  view.setInt32(l3 + IPV4_DESTINATION, source, true);

  writeRawMac(view, offset, view.getInt32(offset + 6, true), view.getUint16(offset + 10, true));
  writeRawMac(view, offset + 6, pipeline.ports.macFirst(port), pipeline.ports.macLast(port));
  pipeline.reply(i);
}

function writeRawMac(view: DataView, offset: number, first: number, last: number): void {
  view.setInt32(offset, first, true);
  view.setUint16(offset + 4, last, true);
}
