/**
 * Ethernet (MAC-48) addresses: a number below 2^48 in the order they are written, so 02:00:00:00:0a:01 is 0x020000000a01.
 */

declare const brand: unique symbol;

/** A valid MAC address as an integer 0..2^48-1 (exact in a double). */
export type Mac = number & { readonly [brand]: "Mac" };

/** Reads six hex octets separated by colons; `null` when it is anything else. */
export function parseMac(text: string): Mac | null {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) return null;
  return Number.parseInt(text.replaceAll(":", ""), 16) as Mac;
}

export function formatMac(mac: Mac): string {
  const digits = mac.toString(16).padStart(12, "0");
  return digits.match(/../g)!.join(":");
}
