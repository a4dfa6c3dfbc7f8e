/**
 * VLAN tags (IEEE 802.1Q §9), one or two between the MACs and the EtherType:
 *
 *   0         6         12                    16                    20
 *   | dst MAC | src MAC | type(2) PCP DEI VID | type(2) PCP DEI VID | EtherType | payload
 *
 * A tag is its four bytes on the wire, as a raw word (raw.ts). What names a VLAN are the type and the 12 bits of the VID;
 * PCP and DEI are a frame's priority, four bits that belong to the frame.
 */
import { swap16 } from "./raw.ts";

export const VLAN_TAG_BYTES = 4;

/** Types of tags: of a customer's VLAN, and of a provider's around it. */
export const CUSTOMER_TAG = 0x8100;
export const SERVICE_TAG = 0x88a8;

/** The bits of a raw tag that name the VLAN. */
const VLAN_MASK = 0xff0fffff | 0;
/** Where a raw tag has PCP and DEI. */
const PRIORITY_SHIFT = 20;

/** A tag of priority 0, raw. @param type EtherType of the tag. @param vid 1..4094. */
export function vlanTag(type: number, vid: number): number {
  return swap16(type) | (swap16(vid) << 16);
}

/** Whether a raw tag names the VLAN of another one, which has priority 0. */
export function isVlan(tag: number, vlan: number): boolean {
  return (tag & VLAN_MASK) === vlan;
}

/** PCP and DEI of a raw tag, 0..15. */
export function priorityOf(tag: number): number {
  return (tag >>> PRIORITY_SHIFT) & 0xf;
}

export function withPriority(vlan: number, priority: number): number {
  return vlan | (priority << PRIORITY_SHIFT);
}

/** Moves the two MACs of a frame at `from`, so that what lies between them and the rest is overwritten or made room for. */
export function moveMacs(view: DataView, from: number, to: number): void {
  const first = view.getInt32(from, true);
  const second = view.getInt32(from + 4, true);
  const third = view.getInt32(from + 8, true);
  view.setInt32(to, first, true);
  view.setInt32(to + 4, second, true);
  view.setInt32(to + 8, third, true);
}
