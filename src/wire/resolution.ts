/**
 * Questions for the MAC address of an address, and what frames of ARP and NDP say about who has which: for those who ask
 * or listen on a link beside the datapath.
 *
 * `arpRequest` is RFC 826's, or with sender 0.0.0.0 the probe of RFC 5227 §2.1; `neighborSolicitation` is RFC 4861 §4.3's.
 */
import type { IpAddress } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import {
  ARP_BYTES,
  ARP_REQUEST,
  ARP_SENDER_ADDRESS,
  ARP_SENDER_MAC,
  ARP_TARGET_ADDRESS,
  arpOperation,
  isIpv4OverEthernet,
} from "./arp.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV6 } from "./ethernet.ts";
import { newFrame, writeAddress6, writeMac } from "./frame-writer.ts";
import {
  ICMP_CHECKSUM,
  NDP_HOP_LIMIT,
  NDP_OPTIONS,
  NDP_SOURCE_LINK_ADDRESS,
  NDP_TARGET,
  NDP_TARGET_LINK_ADDRESS,
  NEIGHBOR_ADVERTISEMENT,
  NEIGHBOR_SOLICITATION,
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
const SOLICITED_GROUP = 0xff02_0000_0000_0000_0000_0001_ff00_0000n;
const SOLICITATION_BYTES = NDP_OPTIONS + 8;

/** Somebody says that he has an address. */
export interface AddressClaim {
  readonly address: IpAddress;
  readonly mac: Mac;
  /** An answer to a question, as far as the frame tells: ARP's reply, or an advertisement with the Solicited flag. */
  readonly isAnswer: boolean;
}

/**
 * The group in which the owner of an IPv6 address listens for questions: ff02::1:ff00:0 and the last 24 bits of the address
 * (RFC 4291 §2.7.1).
 */
export function solicitedNodeGroup({ value }: IpAddress): IpAddress {
  return { family: 6, value: SOLICITED_GROUP | (value & 0xff_ffffn) };
}

/** @param senderAddress whose MAC the asked one is to note; `null` for nobody's. */
export function arpRequest(target: IpAddress, senderAddress: IpAddress | null, mac: Mac): Uint8Array {
  const view = newFrame(ARP_BYTES, BROADCAST, mac, ETHERTYPE_ARP);
  const arp = ETHERNET_HEADER_BYTES;
  view.setUint32(arp, 0x00010800);
  view.setUint16(arp + 4, 0x0604);
  view.setUint16(arp + 6, ARP_REQUEST);
  writeMac(view, arp + ARP_SENDER_MAC, mac);
  view.setUint32(arp + ARP_SENDER_ADDRESS, Number(senderAddress?.value ?? 0n));
  view.setUint32(arp + ARP_TARGET_ADDRESS, Number(target.value));
  return new Uint8Array(view.buffer);
}

/** @param source the asker's address, to which the answer goes. */
export function neighborSolicitation(target: IpAddress, source: IpAddress, mac: Mac): Uint8Array {
  const group = solicitedNodeGroup(target).value;
  // RFC 2464 §7: 33:33 and the last 32 bits of the group.
  const groupMac = (0x3333_0000_0000 + Number(group & 0xffff_ffffn)) as Mac;
  const view = newFrame(IPV6_HEADER_BYTES + SOLICITATION_BYTES, groupMac, mac, ETHERTYPE_IPV6);
  const network = ETHERNET_HEADER_BYTES;
  view.setUint8(network, 0x60);
  view.setUint16(network + IPV6_PAYLOAD_LENGTH, SOLICITATION_BYTES);
  view.setUint8(network + IPV6_NEXT_HEADER, PROTOCOL_ICMPV6);
  view.setUint8(network + IPV6_HOP_LIMIT, NDP_HOP_LIMIT);
  writeAddress6(view, network + IPV6_SOURCE, source.value);
  writeAddress6(view, network + IPV6_DESTINATION, group);
  const icmp = network + IPV6_HEADER_BYTES;
  view.setUint8(icmp, NEIGHBOR_SOLICITATION);
  writeAddress6(view, icmp + NDP_TARGET, target.value);
  view.setUint8(icmp + NDP_OPTIONS, NDP_SOURCE_LINK_ADDRESS);
  view.setUint8(icmp + NDP_OPTIONS + 1, 1);
  writeMac(view, icmp + NDP_OPTIONS + 2, mac);
  const checksum = transportChecksum(view, false, network, PROTOCOL_ICMPV6, icmp, SOLICITATION_BYTES);
  view.setUint16(icmp + ICMP_CHECKSUM, checksum, true);
  return new Uint8Array(view.buffer);
}

/** What an Ethernet frame of ARP, or a Neighbor Advertisement, says; `null` for one that says nothing of the kind. */
export function readAddressClaim(octets: Uint8Array): AddressClaim | null {
  if (octets.length < ETHERNET_HEADER_BYTES) return null;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const etherType = view.getUint16(12);
  if (etherType === ETHERTYPE_ARP) return readArp(view);
  return etherType === ETHERTYPE_IPV6 ? readAdvertisement(view) : null;
}

function readArp(view: DataView): AddressClaim | null {
  const arp = ETHERNET_HEADER_BYTES;
  if (view.byteLength < arp + ARP_BYTES || !isIpv4OverEthernet(view, arp)) return null;
  const sender = view.getUint32(arp + ARP_SENDER_ADDRESS);
  // A probe (RFC 5227 §2.1) claims nothing.
  if (sender === 0) return null;
  return {
    address: { family: 4, value: BigInt(sender) },
    mac: readMac(view, arp + ARP_SENDER_MAC),
    isAnswer: arpOperation(view, arp) !== ARP_REQUEST,
  };
}

/** RFC 4861 §7.1.2, as far as it tells valid advertisements from others; one without a MAC tells nothing new. */
function readAdvertisement(view: DataView): AddressClaim | null {
  const network = ETHERNET_HEADER_BYTES;
  const icmp = network + IPV6_HEADER_BYTES;
  if (view.byteLength < icmp + NDP_OPTIONS + 8) return null;
  const isSound =
    view.getUint8(network + IPV6_NEXT_HEADER) === PROTOCOL_ICMPV6 &&
    view.getUint8(network + IPV6_HOP_LIMIT) === NDP_HOP_LIMIT &&
    view.getUint8(icmp) === NEIGHBOR_ADVERTISEMENT &&
    view.getUint8(icmp + 1) === 0;
  if (!isSound) return null;
  const options = icmp + NDP_OPTIONS;
  if (view.getUint8(options) !== NDP_TARGET_LINK_ADDRESS || view.getUint8(options + 1) !== 1) return null;
  const target = (view.getBigUint64(icmp + NDP_TARGET) << 64n) | view.getBigUint64(icmp + NDP_TARGET + 8);
  return {
    address: { family: 6, value: target },
    mac: readMac(view, options + 2),
    isAnswer: (view.getUint8(icmp + 4) & 0x40) !== 0,
  };
}

function readMac(view: DataView, at: number): Mac {
  return (view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2)) as Mac;
}
