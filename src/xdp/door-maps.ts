/**
 * Keys and values of the BPF maps that tell the door (native/bpf) what is ours, as the structs of native/bpf/maps.h have
 * them: addresses and VLAN tags as on the wire, the rest in the machine's order.
 */
import type { IpAddress } from "../net/ip-address.ts";

/** A VLAN tag: its EtherType (0x8100, or 0x88a8 for the outer of two) and the number of the VLAN. */
export interface VlanTag {
  readonly protocol: number;
  readonly id: number;
}

export interface DoorPort {
  readonly id: number;
  /** The interface is ours alone: what is not for a socket is dropped. */
  readonly dropOthers?: boolean;
  /** Tags that its frames carry, the outer one first; none by default. Others pass. */
  readonly vlan?: readonly VlanTag[];
  /** Host-stack inside: the interface that replies leaving by this uplink are turned into. */
  readonly pairInterfaceIndex?: number;
}

/** Word of `settings` with the rows of the IPv4 flow table, less one. */
export const SETTINGS_FLOW_MASK = 2;
/** Word of `settings` that says which layout the tables have, for a process that finds those of another. */
export const SETTINGS_LAYOUT = 7;
/**
 * Raise it when what is pinned comes to mean something else (test/layout.test.ts notices most of it): a gateway that finds
 * tables of another layout ends their flows and begins afresh.
 */
export const SETTINGS_LAYOUT_NOW = 4;

/** Word of `settings` with its flags. */
export const SETTINGS_FLAGS = 6;
/** Rows that are offloaded are forwarded by the programs. */
export const SETTINGS_FORWARD = 1 << 0;
/** New flows are opened by the program, */
export const SETTINGS_OPEN = 1 << 1;
/** or only where the worker does not keep up. */
export const SETTINGS_OPEN_PRESSED = 1 << 2;
/** Who sends a SYN must first show that his address is his. */
export const SETTINGS_CHALLENGE = 1 << 3;

/** Word of `settings` with the nanoseconds between new flows of one source; 0 for no limit. */
export const SETTINGS_SOURCE_INTERVAL = 9;
/** Word of `settings` with the flows that the program opens in a second, on each CPU; 0 for no limit. */
export const SETTINGS_NEW_FLOW_BUDGET = 10;

/** Word of `settings`: one of so many frames that the programs forward is sampled, a power of two; 0 for none. */
export const SETTINGS_SAMPLE_EVERY = 8;

/** struct address: sixteen bytes, IPv4 as ::ffff:a.b.c.d. */
export function encodeAddress(address: IpAddress): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  if (address.family === 4) {
    view.setUint16(10, 0xffff);
    view.setUint32(12, Number(address.value));
  } else {
    view.setBigUint64(0, address.value >> 64n);
    view.setBigUint64(8, address.value & 0xffff_ffff_ffff_ffffn);
  }
  return bytes;
}

/** struct prefix_key. */
export function encodePrefix(address: IpAddress, lengthBits: number): Uint8Array {
  const key = new Uint8Array(20);
  new DataView(key.buffer).setUint32(0, address.family === 4 ? 96 + lengthBits : lengthBits, true);
  key.set(encodeAddress(address), 4);
  return key;
}

/** struct arp4_key, struct ndp6_key, by the address's family: an address that is answered for on an interface. */
export function encodeAnswerKey(address: IpAddress, interfaceIndex: number): Uint8Array {
  const octets = encodeAddress(address).subarray(address.family === 4 ? 12 : 0);
  const key = new Uint8Array(octets.length + 4);
  key.set(octets);
  new DataView(key.buffer).setUint32(octets.length, interfaceIndex, true);
  return key;
}

/** A UDP port in `settings`. */
export function encodeUdpPort(port: number): number {
  return ((port & 0xff) << 8) | (port >> 8);
}
