/**
 * The ICMPv6 messages by which two routers on a link without addresses find each other (RFC 4861 §4.2, 4443 §4.1).
 *
 *     advertisement: | 134 | 0 | checksum | hop limit, flags, lifetime 0, timers 0 ... | option 1: our MAC |
 *     echo request:  | 128 | 0 | checksum | identifier | sequence |
 *
 * A lifetime of 0 says "I am here" and not "use me as your default router". The kernel writes the checksums.
 */

const ROUTER_ADVERTISEMENT = 134;
const ECHO_REQUEST = 128;
const OPTION_SOURCE_LINK_LAYER = 1;
const HEADER_BYTES = 16;

/** @param mac six octets, or `null` for a link without MACs. */
export function routerAdvertisement(mac: Uint8Array | null): Uint8Array {
  const message = new Uint8Array(HEADER_BYTES + (mac === null ? 0 : 8));
  message[0] = ROUTER_ADVERTISEMENT;
  if (mac !== null) {
    message[HEADER_BYTES] = OPTION_SOURCE_LINK_LAYER;
    message[HEADER_BYTES + 1] = 1;
    message.set(mac, HEADER_BYTES + 2);
  }
  return message;
}

export function echoRequest(): Uint8Array {
  return Uint8Array.of(ECHO_REQUEST, 0, 0, 0, 0, 0, 0, 0);
}
