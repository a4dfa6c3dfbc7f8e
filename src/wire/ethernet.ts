/**
 * Ethernet II (IEEE 802.3 §3), the outermost header:
 *
 *   0         6         12     14
 *   | dst MAC | src MAC | type | payload
 */

export const ETHERNET_HEADER_BYTES = 14;
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;
