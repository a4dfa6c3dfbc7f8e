/**
 * What a frame shows of itself, for people. Unlike the pipeline's parser this one takes whatever it gets, cut short or
 * malformed, and reads as far as there is something to read: it decides nothing.
 */
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import { ARP_SENDER_ADDRESS, ARP_TARGET_ADDRESS } from "../wire/arp.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import {
  IPV4_DESTINATION,
  IPV4_SOURCE,
  PROTOCOL_ICMP,
  PROTOCOL_SCTP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from "../wire/ipv4.ts";
import {
  DESTINATION_OPTIONS,
  FRAGMENT,
  HOP_BY_HOP,
  IPV6_DESTINATION,
  IPV6_HEADER_BYTES,
  IPV6_NEXT_HEADER,
  IPV6_SOURCE,
  PROTOCOL_ICMPV6,
  ROUTING,
} from "../wire/ipv6.ts";
import { TCP_FLAGS } from "../wire/transport.ts";
import { CUSTOMER_TAG, SERVICE_TAG, VLAN_TAG_BYTES } from "../wire/vlan.ts";

export interface ReadFrame {
  readonly protocol: string;
  /** IP protocol number; -1 without IP. */
  readonly number: number;
  readonly source: IpAddress | null;
  readonly destination: IpAddress | null;
  /** `null` where there are none, or where they are not in this frame (a later fragment). */
  readonly ports: { readonly source: number; readonly destination: number } | null;
  /** TCP's flags by their letters. */
  readonly flags: string | null;
}

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [PROTOCOL_TCP, "TCP"],
  [PROTOCOL_UDP, "UDP"],
  [PROTOCOL_SCTP, "SCTP"],
  [PROTOCOL_ICMP, "ICMP"],
  [PROTOCOL_ICMPV6, "ICMPv6"],
  [4, "IPIP"],
  [41, "IPv6"],
]);
const FLAG_LETTERS = ["F", "S", "R", "P", "A", "U"];
const NOTHING = { number: -1, source: null, destination: null, ports: null, flags: null };

export function readFrame(frame: Uint8Array): ReadFrame {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const [type, network] = networkOf(view);
  if (type === ETHERTYPE_ARP) {
    const source = ipv4At(view, network + ARP_SENDER_ADDRESS);
    return { ...NOTHING, protocol: "ARP", source, destination: ipv4At(view, network + ARP_TARGET_ADDRESS) };
  }
  if (type === ETHERTYPE_IPV4) return readIpv4(view, network);
  if (type === ETHERTYPE_IPV6) return readIpv6(view, network);
  return { ...NOTHING, protocol: type < 0 ? "cut short" : `0x${type.toString(16).padStart(4, "0")}` };
}

/** The addresses in a frame's IP or ARP header, as bytes; none when it has none. */
export function addressesOf(frame: Uint8Array): Uint8Array[] {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const [type, network] = networkOf(view);
  const [source, destination, length] =
    type === ETHERTYPE_IPV4
      ? [IPV4_SOURCE, IPV4_DESTINATION, 4]
      : type === ETHERTYPE_IPV6
        ? [IPV6_SOURCE, IPV6_DESTINATION, 16]
        : type === ETHERTYPE_ARP
          ? [ARP_SENDER_ADDRESS, ARP_TARGET_ADDRESS, 4]
          : [0, 0, 0];
  if (length === 0 || network + destination + length > frame.length) return [];
  return [source, destination].map((at) => frame.subarray(network + at, network + at + length));
}

/** EtherType behind the tags, -1 when it is not there, and where the network header begins. */
function networkOf(view: DataView): [type: number, network: number] {
  let at = ETHERNET_HEADER_BYTES;
  while (at <= view.byteLength) {
    const type = view.getUint16(at - 2);
    if (type !== CUSTOMER_TAG && type !== SERVICE_TAG) return [type, at];
    at += VLAN_TAG_BYTES;
  }
  return [-1, at];
}

function readIpv4(view: DataView, network: number): ReadFrame {
  if (network + 20 > view.byteLength) return { ...NOTHING, protocol: "IPv4, cut short" };
  const number = view.getUint8(network + 9);
  const transport = network + (view.getUint8(network) & 0xf) * 4;
  const isLater = (view.getUint16(network + 6) & 0x1fff) !== 0;
  const ends = {
    source: ipv4At(view, network + IPV4_SOURCE),
    destination: ipv4At(view, network + IPV4_DESTINATION),
  };
  return { ...ends, ...readTransport(view, isLater ? view.byteLength : transport, number) };
}

function readIpv6(view: DataView, network: number): ReadFrame {
  if (network + IPV6_HEADER_BYTES > view.byteLength) return { ...NOTHING, protocol: "IPv6, cut short" };
  let number = view.getUint8(network + IPV6_NEXT_HEADER);
  let at = network + IPV6_HEADER_BYTES;
  while (at + 8 <= view.byteLength) {
    if (number === FRAGMENT) {
      number = view.getUint8(at);
      at = (view.getUint16(at + 2) & 0xfff8) === 0 ? at + 8 : view.byteLength;
    } else if (number === HOP_BY_HOP || number === ROUTING || number === DESTINATION_OPTIONS) {
      number = view.getUint8(at);
      at += (view.getUint8(at + 1) + 1) * 8;
    } else break;
  }
  const ends = {
    source: ipv6At(view, network + IPV6_SOURCE),
    destination: ipv6At(view, network + IPV6_DESTINATION),
  };
  return { ...ends, ...readTransport(view, at, number) };
}

function readTransport(
  view: DataView,
  at: number,
  number: number,
): Pick<ReadFrame, "protocol" | "number" | "ports" | "flags"> {
  const protocol = PROTOCOL_NAMES.get(number) ?? String(number);
  const hasPorts = number === PROTOCOL_TCP || number === PROTOCOL_UDP || number === PROTOCOL_SCTP;
  if (!hasPorts || at + 4 > view.byteLength) return { protocol, number, ports: null, flags: null };
  const ports = { source: view.getUint16(at), destination: view.getUint16(at + 2) };
  const hasFlags = number === PROTOCOL_TCP && at + TCP_FLAGS < view.byteLength;
  return { protocol, number, ports, flags: hasFlags ? flagLetters(view.getUint8(at + TCP_FLAGS)) : null };
}

function flagLetters(flags: number): string {
  return FLAG_LETTERS.filter((_, bit) => (flags & (1 << bit)) !== 0).join("");
}

function ipv4At(view: DataView, at: number): IpAddress | null {
  return at + 4 > view.byteLength ? null : { family: 4, value: BigInt(view.getUint32(at)) };
}

function ipv6At(view: DataView, at: number): IpAddress | null {
  if (at + 16 > view.byteLength) return null;
  return { family: 6, value: (view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8) };
}

/** `192.0.2.1:80`, `[2001:db8::1]:80`, or the address alone. */
export function formatEnd(address: IpAddress | null, port: number | null): string {
  if (address === null) return "?";
  const text = formatIpAddress(address);
  if (port === null) return text;
  return address.family === 4 ? `${text}:${port}` : `[${text}]:${port}`;
}
