/**
 * ARP for IPv4 over Ethernet (RFC 826), offsets from the first byte of the packet:
 *
 *   0 hardware type=1   2 protocol type=0x0800   4 lengths 6,4   6 operation
 *   8 sender MAC   14 sender address   18 target MAC   24 target address   28
 */

export const ARP_BYTES = 28;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

export const ARP_SENDER_MAC = 8;
export const ARP_SENDER_ADDRESS = 14;
export const ARP_TARGET_MAC = 18;
export const ARP_TARGET_ADDRESS = 24;

/** The fixed part: hardware and protocol type, and the lengths of both kinds of addresses. */
export const IPV4_OVER_ETHERNET = 0x00010800;
export const IPV4_OVER_ETHERNET_LENGTHS = 0x0604;

/** Whether the fixed part names IPv4 over Ethernet. */
export function isIpv4OverEthernet(view: DataView, arp: number): boolean {
  return view.getInt32(arp) === IPV4_OVER_ETHERNET && view.getUint16(arp + 4) === IPV4_OVER_ETHERNET_LENGTHS;
}

export function arpOperation(view: DataView, arp: number): number {
  return view.getUint16(arp + 6);
}
