/**
 * Questions for the MAC address of an address, and what frames of ARP and NDP say about who has which: for those who ask
 * or listen on a link beside the datapath.
 *
 * `arpRequest` is RFC 826's, or with sender 0.0.0.0 the probe of RFC 5227 §2.1; `neighborSolicitation` is RFC 4861 §4.3's.
 */
import type { IpAddress } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import { ARP_BYTES, ARP_REQUEST, ARP_SENDER_ADDRESS, ARP_SENDER_MAC, arpOperation, isIpv4OverEthernet } from "./arp.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV6 } from "./ethernet.ts";
import {
  NDP_HOP_LIMIT,
  NDP_OPTIONS,
  NDP_SOURCE_LINK_ADDRESS,
  NDP_TARGET,
  NDP_TARGET_LINK_ADDRESS,
  NEIGHBOR_ADVERTISEMENT,
  NEIGHBOR_SOLICITATION,
} from "./icmp.ts";
import { IPV6_HEADER_BYTES, IPV6_HOP_LIMIT, IPV6_NEXT_HEADER, PROTOCOL_ICMPV6 } from "./ipv6.ts";
import { arpFrame, ndpFrame } from "./neighbor-frames.ts";

const SOLICITED_GROUP = 0xff02_0000_0000_0000_0000_0001_ff00_0000n;

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
  return arpFrame({
    operation: ARP_REQUEST,
    senderMac: mac,
    senderAddress: Number(senderAddress?.value ?? 0n),
    targetMac: 0 as Mac,
    targetAddress: Number(target.value),
  });
}

/** @param source the asker's address, to which the answer goes. */
export function neighborSolicitation(target: IpAddress, source: IpAddress, mac: Mac): Uint8Array {
  return ndpFrame({
    type: NEIGHBOR_SOLICITATION,
    flags: 0,
    mac,
    source: source.value,
    destination: solicitedNodeGroup(target).value,
    target: target.value,
    option: NDP_SOURCE_LINK_ADDRESS,
  });
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
