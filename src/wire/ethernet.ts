/**
 * Ethernet II (IEEE 802.3 §3), the outermost header:
 *
 *   0         6         12     14
 *   | dst MAC | src MAC | type | payload
 */

export const ETHERNET_HEADER_BYTES = 14;
