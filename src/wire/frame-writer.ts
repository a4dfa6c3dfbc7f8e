/** Beginning a frame of our own, away from the packet path: its Ethernet header, and addresses in network order. */
import type { Mac } from "../net/mac.ts";
import { ETHERNET_HEADER_BYTES } from "./ethernet.ts";

/** A frame of zeros behind its Ethernet header. */
export function newFrame(
  payloadBytes: number,
  destination: Mac,
  source: Mac,
  etherType: number,
): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(ETHERNET_HEADER_BYTES + payloadBytes));
  writeMac(view, 0, destination);
  writeMac(view, 6, source);
  view.setUint16(12, etherType);
  return view;
}

export function writeMac(view: DataView, at: number, mac: Mac): void {
  view.setUint16(at, Math.floor(mac / 0x1_0000_0000));
  view.setUint32(at + 2, mac % 0x1_0000_0000);
}

export function writeAddress6(view: DataView, at: number, value: bigint): void {
  view.setBigUint64(at, value >> 64n);
  view.setBigUint64(at + 8, value & 0xffff_ffff_ffff_ffffn);
}
