/** Which frames may open a flow, whatever the VIP. */
import { isMapped } from "../wire/raw.ts";
import { ACK, FIN, RST, SYN } from "../wire/transport.ts";
import { type FlowKey, KEY_SOURCE } from "./flow-key.ts";

/** A SYN opens a flow; any other segment but RST may continue one that this node never saw. */
export function mayOpen(flags: number, strictSyn: boolean): boolean {
  const kind = flags & (SYN | ACK | RST | FIN);
  if (kind === SYN) return true;
  return !strictSyn && (kind & (SYN | RST)) === 0;
}

/**
 * Source addresses that no host on the outside can have. IPv4: 0/8, 127/8, multicast and above (RFC 1122 §3.2.1.3);
 * IPv6: unspecified, loopback, multicast, IPv4-mapped (RFC 4291 §2.5, RFC 6890).
 */
export function isMartian(key: FlowKey, isIpv4: boolean): boolean {
  const first = key[KEY_SOURCE + (isIpv4 ? 3 : 0)]! & 0xff;
  if (isIpv4) return first === 0 || first === 127 || first >= 224;
  if (first === 0xff || isMapped(key, KEY_SOURCE)) return true;
  const upper = key[KEY_SOURCE]! | key[KEY_SOURCE + 1]! | key[KEY_SOURCE + 2]!;
  const last = key[KEY_SOURCE + 3]!;
  return upper === 0 && (last === 0 || last === 0x01000000);
}
