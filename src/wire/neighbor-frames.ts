/**
 * Writing whole frames of ARP (RFC 826) and of Neighbor Discovery (RFC 4861 §4) with one MAC as option. They are without
 * padding: whatever sends them pads to Ethernet's 60 bytes.
 */
import type { Mac } from "../net/mac.ts";
import {
  ARP_BYTES,
  ARP_SENDER_ADDRESS,
  ARP_SENDER_MAC,
  ARP_TARGET_ADDRESS,
  ARP_TARGET_MAC,
  IPV4_OVER_ETHERNET,
  IPV4_OVER_ETHERNET_LENGTHS,
} from "./arp.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV6 } from "./ethernet.ts";
import { newFrame, writeAddress6, writeMac } from "./frame-writer.ts";
import { ICMP_CHECKSUM, NDP_HOP_LIMIT, NDP_OPTIONS, NDP_TARGET } from "./icmp.ts";
import {
  IPV6_DESTINATION,
  IPV6_HEADER_BYTES,
  IPV6_HOP_LIMIT,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
  PROTOCOL_ICMPV6,
} from "./ipv6.ts";
import { transportChecksum } from "./pseudo-header.ts";

const BROADCAST = 0xffff_ffff_ffff as Mac;
/** Header, target and one option with a MAC. */
const NDP_BYTES = NDP_OPTIONS + 8;

interface ArpFields {
  /** The operation. */
  readonly operation: number;
  readonly senderMac: Mac;
  /** Addresses as numbers in host order. */
  readonly senderAddress: number;
  /** Zero in a question, which asks for it. */
  readonly targetMac: Mac;
  readonly targetAddress: number;
}

/** @returns a broadcast frame of 42 bytes. */
export function arpFrame({ operation, senderMac, senderAddress, targetMac, targetAddress }: ArpFields): Uint8Array {
  const view = newFrame(ARP_BYTES, BROADCAST, senderMac, ETHERTYPE_ARP);
  const arp = ETHERNET_HEADER_BYTES;
  view.setUint32(arp, IPV4_OVER_ETHERNET);
  view.setUint16(arp + 4, IPV4_OVER_ETHERNET_LENGTHS);
  view.setUint16(arp + 6, operation);
  writeMac(view, arp + ARP_SENDER_MAC, senderMac);
  view.setUint32(arp + ARP_SENDER_ADDRESS, senderAddress);
  writeMac(view, arp + ARP_TARGET_MAC, targetMac);
  view.setUint32(arp + ARP_TARGET_ADDRESS, targetAddress);
  return new Uint8Array(view.buffer);
}

interface NdpFields {
  readonly type: number;
  /** Of an advertisement; 0 in a solicitation. */
  readonly flags: number;
  readonly mac: Mac;
  readonly source: bigint;
  /** A group. */
  readonly destination: bigint;
  readonly target: bigint;
  /** The type of the option that says `mac`. */
  readonly option: number;
}

/** @returns a frame of 86 bytes to the MAC of the destination's group: 33:33 and its last 32 bits (RFC 2464 §7). */
export function ndpFrame({ type, flags, mac, source, destination, target, option }: NdpFields): Uint8Array {
  const groupMac = (0x3333_0000_0000 + Number(destination & 0xffff_ffffn)) as Mac;
  const view = newFrame(IPV6_HEADER_BYTES + NDP_BYTES, groupMac, mac, ETHERTYPE_IPV6);
  const network = ETHERNET_HEADER_BYTES;
  view.setUint8(network, 0x60);
  view.setUint16(network + IPV6_PAYLOAD_LENGTH, NDP_BYTES);
  view.setUint8(network + IPV6_NEXT_HEADER, PROTOCOL_ICMPV6);
  view.setUint8(network + IPV6_HOP_LIMIT, NDP_HOP_LIMIT);
  writeAddress6(view, network + IPV6_SOURCE, source);
  writeAddress6(view, network + IPV6_DESTINATION, destination);
  const icmp = network + IPV6_HEADER_BYTES;
  view.setUint8(icmp, type);
  view.setUint32(icmp + 4, flags);
  writeAddress6(view, icmp + NDP_TARGET, target);
  view.setUint8(icmp + NDP_OPTIONS, option);
  // In units of eight bytes.
  view.setUint8(icmp + NDP_OPTIONS + 1, 1);
  writeMac(view, icmp + NDP_OPTIONS + 2, mac);
  const checksum = transportChecksum(view, false, network, PROTOCOL_ICMPV6, icmp, NDP_BYTES);
  view.setUint16(icmp + ICMP_CHECKSUM, checksum, true);
  return new Uint8Array(view.buffer);
}
