/** TCP and UDP packets in words: made into frames with right checksums, for replays and for asking what would happen. */
import { type IpAddress, toIpv4 } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import { fold, sumBytes } from "./checksum.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "./ethernet.ts";
import { newFrame, writeAddress6 } from "./frame-writer.ts";
import {
  IPV4_CHECKSUM,
  IPV4_DESTINATION,
  IPV4_HEADER_BYTES,
  IPV4_SOURCE,
  IPV4_TTL,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from "./ipv4.ts";
import {
  IPV6_DESTINATION,
  IPV6_HEADER_BYTES,
  IPV6_HOP_LIMIT,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
} from "./ipv6.ts";
import { transportChecksum } from "./pseudo-header.ts";
import {
  ACK,
  FIN,
  PSH,
  RST,
  SYN,
  TCP_CHECKSUM,
  TCP_FLAGS,
  TCP_HEADER_BYTES,
  UDP_CHECKSUM,
  UDP_HEADER_BYTES,
} from "./transport.ts";

export interface PacketEnd {
  readonly mac: Mac;
  readonly address: IpAddress;
  readonly port: number;
}

export interface Packet {
  readonly from: PacketEnd;
  /** Of the same family. */
  readonly to: PacketEnd;
  readonly protocol: "tcp" | "udp";
  /** TCP flags by their initials, such as "S" or "PA". */
  readonly flags: string;
  readonly payload: Uint8Array;
}

const FLAGS: Readonly<Record<string, number>> = { F: FIN, S: SYN, R: RST, P: PSH, A: ACK };
const TTL = 64;

/** The bits of flags given by their initials; `null` when one is none. */
export function tcpFlags(initials: string): number | null {
  let flags = 0;
  for (const initial of initials) {
    const flag = FLAGS[initial];
    if (flag === undefined) return null;
    flags |= flag;
  }
  return flags;
}

/** The packet as an Ethernet frame; without options, never fragmented. */
export function packetFrame({ from, to, protocol, flags, payload }: Packet): Uint8Array {
  const isIpv4 = from.address.family === 4;
  const number = protocol === "tcp" ? PROTOCOL_TCP : PROTOCOL_UDP;
  const l3 = ETHERNET_HEADER_BYTES;
  const l4 = l3 + (isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES);
  const transportBytes = (protocol === "tcp" ? TCP_HEADER_BYTES : UDP_HEADER_BYTES) + payload.length;
  const view = newFrame(l4 - l3 + transportBytes, to.mac, from.mac, isIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  if (isIpv4) {
    view.setUint16(l3, 0x4500);
    view.setUint16(l3 + 2, IPV4_HEADER_BYTES + transportBytes);
    view.setUint16(l3 + 6, 0x4000);
    view.setUint8(l3 + IPV4_TTL, TTL);
    view.setUint8(l3 + IPV4_TTL + 1, number);
    view.setUint32(l3 + IPV4_SOURCE, toIpv4(from.address)!);
    view.setUint32(l3 + IPV4_DESTINATION, toIpv4(to.address)!);
    view.setUint16(l3 + IPV4_CHECKSUM, ~fold(sumBytes(view, l3, IPV4_HEADER_BYTES)) & 0xffff, true);
  } else {
    view.setUint8(l3, 0x60);
    view.setUint16(l3 + IPV6_PAYLOAD_LENGTH, transportBytes);
    view.setUint8(l3 + IPV6_NEXT_HEADER, number);
    view.setUint8(l3 + IPV6_HOP_LIMIT, TTL);
    writeAddress6(view, l3 + IPV6_SOURCE, from.address.value);
    writeAddress6(view, l3 + IPV6_DESTINATION, to.address.value);
  }
  view.setUint16(l4, from.port);
  view.setUint16(l4 + 2, to.port);
  if (protocol === "tcp") {
    view.setUint16(l4 + 12, (TCP_HEADER_BYTES / 4) << 12);
    view.setUint8(l4 + TCP_FLAGS, tcpFlags(flags) ?? 0);
    view.setUint16(l4 + 14, 0xffff);
  } else {
    view.setUint16(l4 + 4, transportBytes);
  }
  const octets = new Uint8Array(view.buffer);
  octets.set(payload, octets.length - payload.length);
  const checksum = transportChecksum(view, isIpv4, l3, number, l4, transportBytes);
  // RFC 768: a UDP checksum of zero means that there is none.
  view.setUint16(
    l4 + (protocol === "tcp" ? TCP_CHECKSUM : UDP_CHECKSUM),
    checksum === 0 && protocol === "udp" ? 0xffff : checksum,
    true,
  );
  return octets;
}
