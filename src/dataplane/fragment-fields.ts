/** What a fragment says about its place: `at` is the offset of the IPv4 header or of the IPv6 fragment header. */

/** What the fragments of one packet have in common. */
export function fragmentIdentification(view: DataView, isIpv4: boolean, at: number): number {
  return isIpv4 ? view.getUint16(at + 4) : view.getInt32(at + 4);
}

/** Offset of a fragment's payload in that of the whole packet, bytes. */
export function fragmentOffset(view: DataView, isIpv4: boolean, at: number): number {
  return isIpv4 ? (view.getUint16(at + 6) & 0x1fff) * 8 : view.getUint16(at + 2) & 0xfff8;
}
