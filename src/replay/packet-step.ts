/**
 * Packets in words, in place of a frame's hex: `{"iface": "wan", "packet": {"from": "203.0.113.5:40000", "to":
 * "198.51.100.10:80", "protocol": "tcp", "flags": "S", "payload": "<hex>"}}`. It comes to the interface's MAC from a
 * neighbour's.
 */
import { formatIpAddress, parseIpAddress } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import { ETHERNET_HEADER_BYTES } from "../wire/ethernet.ts";
import {
  IPV4_DESTINATION,
  IPV4_HEADER_BYTES,
  IPV4_SOURCE,
  IPV4_TTL,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from "../wire/ipv4.ts";
import { IPV6_DESTINATION, IPV6_HEADER_BYTES, IPV6_NEXT_HEADER, IPV6_SOURCE } from "../wire/ipv6.ts";
import { type PacketEnd, packetFrame, tcpFlags } from "../wire/packet.ts";

const NEIGHBOR_MAC = 0x0200_0000_fffe as Mac;

/** The ends of a packet without options or extension headers, as text. */
export interface PacketSummary {
  readonly from: string;
  readonly to: string;
}

/** @param packet as above. @returns the frame, or a sentence about what is wrong. */
export function packetStep(packet: Readonly<Record<string, unknown>>, mac: Mac): Uint8Array | string {
  const { from: source, to: destination, protocol = "tcp", flags = "S", payload = "" } = packet;
  const from = endOf(source, NEIGHBOR_MAC);
  const to = endOf(destination, mac);
  const wanted = "must be ADDRESS:PORT, or [ADDRESS]:PORT";
  if (from === null) return `from: ${wanted}`;
  if (to === null) return `to: ${wanted}`;
  if (from.address.family !== to.address.family) return "to: must be of the family of the other end";
  if (protocol !== "tcp" && protocol !== "udp") return `protocol: must be tcp or udp, not ${JSON.stringify(protocol)}`;
  if (typeof flags !== "string" || tcpFlags(flags) === null) return "flags: must be some of the letters F S R P A";
  if (typeof payload !== "string" || payload.length % 2 !== 0 || /[^0-9a-fA-F]/.test(payload)) {
    return "payload: must be an even number of hex digits";
  }
  const octets = Uint8Array.from(payload.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));
  return packetFrame({ from, to, protocol, flags, payload: octets });
}

/** Where a frame comes from and goes to; `null` for what has no ports to show. */
export function summary(frame: Uint8Array): PacketSummary | null {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const l3 = ETHERNET_HEADER_BYTES;
  if (frame.length < l3 + 1) return null;
  const isIpv4 = view.getUint8(l3) === 0x45;
  const l4 = l3 + (isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES);
  if (frame.length < l4 + 4 || !(isIpv4 || view.getUint8(l3) >>> 4 === 6)) return null;
  const protocol = view.getUint8(l3 + (isIpv4 ? IPV4_TTL + 1 : IPV6_NEXT_HEADER));
  if (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP) return null;
  const text = (at4: number, at6: number, port: number) => {
    const address = isIpv4
      ? formatIpAddress({ family: 4, value: BigInt(view.getUint32(l3 + at4)) })
      : `[${formatIpAddress({ family: 6, value: (view.getBigUint64(l3 + at6) << 64n) | view.getBigUint64(l3 + at6 + 8) })}]`;
    return `${address}:${view.getUint16(port)}`;
  };
  return { from: text(IPV4_SOURCE, IPV6_SOURCE, l4), to: text(IPV4_DESTINATION, IPV6_DESTINATION, l4 + 2) };
}

function endOf(value: unknown, mac: Mac): PacketEnd | null {
  const match = typeof value === "string" ? /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(value) : null;
  const address = match === null ? null : parseIpAddress(match[1] ?? match[2]!);
  const port = Number(match?.[3]);
  return address === null || port > 0xffff ? null : { mac, address, port };
}
