/**
 * Ethernet II (IEEE 802.3 §3): what the datapath reads and writes of the outermost header.
 *
 *   0        6        12    14
 *   | dst MAC | src MAC | type | payload
 *
 * All functions take a DataView over frame memory and the byte offset of the frame; they check nothing: the caller has
 * compared the frame's length first.
 */
import type { Mac } from "../net/mac.ts";

export const ETHERNET_HEADER_BYTES = 14;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;

export function readMac(view: DataView, offset: number): Mac {
  return (view.getUint16(offset) * 0x100000000 + view.getUint32(offset + 2)) as Mac;
}

export function writeMac(view: DataView, offset: number, mac: Mac): void {
  view.setUint16(offset, Math.floor(mac / 0x100000000));
  view.setUint32(offset + 2, mac % 0x100000000);
}
