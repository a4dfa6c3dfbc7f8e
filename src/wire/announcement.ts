/**
 * Frames that tell a link, unasked, at which MAC an address is now: what a node sends when it takes an address over, so
 * that neighbours replace what they remember.
 *
 *   IPv4   ARP with the address as sender and target alike. The request form is the ARP Announcement of RFC 5227 §2.3;
 *          the reply form is for neighbours that take no news from requests (RFC 5944 §4.6).
 *   IPv6   an unsolicited Neighbor Advertisement to all nodes, Override set (RFC 4861 §7.2.6).
 *
 * Frames are whole, without padding: whatever sends them pads to Ethernet's 60 bytes.
 */
import type { IpAddress } from "../net/ip-address.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Mac } from "../net/mac.ts";
import {
  ARP_BYTES,
  ARP_REPLY,
  ARP_REQUEST,
  ARP_SENDER_ADDRESS,
  ARP_SENDER_MAC,
  ARP_TARGET_ADDRESS,
  ARP_TARGET_MAC,
} from "./arp.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV6 } from "./ethernet.ts";
import { newFrame, writeAddress6, writeMac } from "./frame-writer.ts";
import {
  ICMP_CHECKSUM,
  NDP_HOP_LIMIT,
  NDP_OPTIONS,
  NDP_OVERRIDE,
  NDP_TARGET,
  NDP_TARGET_LINK_ADDRESS,
  NEIGHBOR_ADVERTISEMENT,
} from "./icmp.ts";
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
/** ff02::1, and its MAC by RFC 2464 §7. */
const ALL_NODES = 0xff02_0000_0000_0000_0000_0000_0000_0001n;
const ALL_NODES_MAC = 0x3333_0000_0001 as Mac;
/** Header, target and one option with a MAC. */
const ADVERTISEMENT_BYTES = NDP_OPTIONS + 8;

/** @returns a broadcast frame of 42 bytes that says `address` is at `mac`. */
export function gratuitousArp(address: Ipv4, mac: Mac, form: "request" | "reply"): Uint8Array {
  const view = newFrame(ARP_BYTES, BROADCAST, mac, ETHERTYPE_ARP);
  const arp = ETHERNET_HEADER_BYTES;
  view.setUint32(arp, 0x00010800);
  view.setUint16(arp + 4, 0x0604);
  view.setUint16(arp + 6, form === "request" ? ARP_REQUEST : ARP_REPLY);
  writeMac(view, arp + ARP_SENDER_MAC, mac);
  view.setUint32(arp + ARP_SENDER_ADDRESS, address);
  // A request asks for this one, so it is left zero; a reply has the MAC that caches are to take (RFC 5944 §4.6).
  if (form === "reply") writeMac(view, arp + ARP_TARGET_MAC, mac);
  view.setUint32(arp + ARP_TARGET_ADDRESS, address);
  return new Uint8Array(view.buffer);
}

/** @returns a frame of 86 bytes to all nodes that says the IPv6 address is at `mac`. */
export function unsolicitedAdvertisement(address: IpAddress, mac: Mac): Uint8Array {
  const view = newFrame(IPV6_HEADER_BYTES + ADVERTISEMENT_BYTES, ALL_NODES_MAC, mac, ETHERTYPE_IPV6);
  const network = ETHERNET_HEADER_BYTES;
  view.setUint8(network, 0x60);
  view.setUint16(network + IPV6_PAYLOAD_LENGTH, ADVERTISEMENT_BYTES);
  view.setUint8(network + IPV6_NEXT_HEADER, PROTOCOL_ICMPV6);
  view.setUint8(network + IPV6_HOP_LIMIT, NDP_HOP_LIMIT);
  writeAddress6(view, network + IPV6_SOURCE, address.value);
  writeAddress6(view, network + IPV6_DESTINATION, ALL_NODES);
  const icmp = network + IPV6_HEADER_BYTES;
  view.setUint8(icmp, NEIGHBOR_ADVERTISEMENT);
  view.setUint32(icmp + 4, NDP_OVERRIDE);
  writeAddress6(view, icmp + NDP_TARGET, address.value);
  view.setUint8(icmp + NDP_OPTIONS, NDP_TARGET_LINK_ADDRESS);
  view.setUint8(icmp + NDP_OPTIONS + 1, 1);
  writeMac(view, icmp + NDP_OPTIONS + 2, mac);
  const checksum = transportChecksum(view, false, network, PROTOCOL_ICMPV6, icmp, ADVERTISEMENT_BYTES);
  view.setUint16(icmp + ICMP_CHECKSUM, checksum, true);
  return new Uint8Array(view.buffer);
}
