/**
 * Frames that tell a link, unasked, at which MAC an address is now: what a node sends when it takes an address over, so
 * that neighbours replace what they remember.
 *
 *   IPv4   ARP with the address as sender and target alike. The request form is the ARP Announcement of RFC 5227 §2.3;
 *          the reply form is for neighbours that take no news from requests (RFC 5944 §4.6).
 *   IPv6   an unsolicited Neighbor Advertisement to all nodes, Override set (RFC 4861 §7.2.6).
 */
import type { IpAddress } from "../net/ip-address.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Mac } from "../net/mac.ts";
import { ARP_REPLY, ARP_REQUEST } from "./arp.ts";
import { NDP_OVERRIDE, NDP_TARGET_LINK_ADDRESS, NEIGHBOR_ADVERTISEMENT } from "./icmp.ts";
import { arpFrame, ndpFrame } from "./neighbor-frames.ts";

/** ff02::1 */
const ALL_NODES = 0xff02_0000_0000_0000_0000_0000_0000_0001n;

/** @returns a broadcast frame of 42 bytes that says `address` is at `mac`. */
export function gratuitousArp(address: Ipv4, mac: Mac, form: "request" | "reply"): Uint8Array {
  return arpFrame({
    operation: form === "request" ? ARP_REQUEST : ARP_REPLY,
    senderMac: mac,
    senderAddress: address,
    // A reply has the MAC that caches are to take (RFC 5944 §4.6).
    targetMac: form === "reply" ? mac : (0 as Mac),
    targetAddress: address,
  });
}

/** @returns a frame of 86 bytes to all nodes that says the IPv6 address is at `mac`. */
export function unsolicitedAdvertisement({ value }: IpAddress, mac: Mac): Uint8Array {
  return ndpFrame({
    type: NEIGHBOR_ADVERTISEMENT,
    flags: NDP_OVERRIDE,
    mac,
    source: value,
    destination: ALL_NODES,
    target: value,
    option: NDP_TARGET_LINK_ADDRESS,
  });
}
