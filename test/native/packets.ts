/**
 * Packets of both families for the native suite, put together layer by layer: `framed(ipv6Packet({...}, udp(1, 2)))`.
 * Only what the BPF programs look at is right (no checksums).
 */
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { encodeAddress } from "../../src/xdp/door-maps.ts";

export const HOP_BY_HOP = 0;
export const ROUTING = 43;
export const FRAGMENT = 44;
export const AUTHENTICATION = 51;
export const ICMP = 1;
export const ICMPV6 = 58;
export const DESTINATION_OPTIONS = 60;

/** Sixteen bytes, IPv4 as ::ffff:a.b.c.d. */
export function mapped(address: string): Uint8Array {
  return encodeAddress(parseIpAddress(address)!);
}

function addressBytes(address: string): Uint8Array {
  const bytes = mapped(address);
  return address.includes(":") ? bytes : bytes.slice(12);
}

export function joined(...parts: (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function uint16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

/** The first eight bytes of a TCP, UDP or SCTP header, and zeros up to the length. */
export function withPorts(sourcePort: number, destinationPort: number, lengthBytes = 20): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  bytes.set([...uint16(sourcePort), ...uint16(destinationPort)].slice(0, lengthBytes));
  return bytes;
}

/** An ICMP message of either family about a packet. */
export function icmpError(type: number, quote: Uint8Array): Uint8Array {
  return joined([type, 0, 0, 0, 0, 0, 0, 0], quote);
}

export interface PacketFields {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
}

export function ipv4Packet(
  fields: PacketFields & { readonly id?: number; readonly fragment?: number; readonly options?: readonly number[] },
  payload: Uint8Array,
): Uint8Array {
  const { id = 0x1234, fragment = 0, options = [] } = fields;
  const header = joined(
    [0x45 + options.length / 4, 0, ...uint16(20 + options.length + payload.length), ...uint16(id), ...uint16(fragment)],
    [64, fields.protocol, 0, 0],
    addressBytes(fields.source),
    addressBytes(fields.destination),
    options,
  );
  return joined(header, payload);
}

/** An extension header: its type, and its bytes without the first, which says what follows. */
export type Extension = readonly [type: number, rest: readonly number[]];

export function ipv6Packet(
  fields: PacketFields & { readonly extensions?: readonly Extension[] },
  payload: Uint8Array,
): Uint8Array {
  const { extensions = [] } = fields;
  const types = [...extensions.map(([type]) => type), fields.protocol];
  const chain = joined(...extensions.map(([, rest], i) => [types[i + 1]!, ...rest]), payload);
  return joined(
    [0x60, 0, 0, 0, ...uint16(chain.length), types[0]!, 64],
    addressBytes(fields.source),
    addressBytes(fields.destination),
    chain,
  );
}

/** Either, as the addresses are. */
export function packet(fields: PacketFields, payload: Uint8Array): Uint8Array {
  return fields.source.includes(":") ? ipv6Packet(fields, payload) : ipv4Packet(fields, payload);
}

/** RFC 8200 §4.5. */
export function fragmentHeader(id: number, offset: number, more: boolean): Extension {
  return [FRAGMENT, [0, ...uint16(offset | (more ? 1 : 0)), 0, 0, ...uint16(id)]];
}

/** An Ethernet frame around a packet, with VLAN tags as they are on the wire. */
export function framed(content: Uint8Array, ...tags: (readonly number[])[]): Uint8Array {
  const etherType = content[0]! >> 4 === 6 ? 0x86dd : 0x0800;
  return joined([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], tags.flat(), uint16(etherType), content);
}
