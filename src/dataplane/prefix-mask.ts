/** Prefixes over four raw words: an IPv4 prefix of length n is one of 96 + n under ::ffff:0:0/96. */
import { addressBits, type IpAddress } from "../net/ip-address.ts";
import { ADDRESS_WORDS, storeAddress } from "../wire/raw.ts";

/** Raw masks of the prefix lengths 0..128, four words each. */
const MASKS = new Int32Array(129 * ADDRESS_WORDS);
for (let length = 0; length <= 128; length++) {
  const mask = ((1n << BigInt(length)) - 1n) << BigInt(128 - length);
  storeAddress(MASKS, length * ADDRESS_WORDS, { family: 6, value: mask });
}

/** The length that a prefix has among those of both families. */
export function commonLength(address: IpAddress, prefixLength: number): number {
  return 128 - addressBits(address.family) + prefixLength;
}

export function applyMask(address: Int32Array, at: number, length: number, into: Int32Array, intoAt: number): void {
  const mask = length * ADDRESS_WORDS;
  into[intoAt] = address[at]! & MASKS[mask]!;
  into[intoAt + 1] = address[at + 1]! & MASKS[mask + 1]!;
  into[intoAt + 2] = address[at + 2]! & MASKS[mask + 2]!;
  into[intoAt + 3] = address[at + 3]! & MASKS[mask + 3]!;
}

/** Whether an address lies in a network whose host bits are zero. */
export function isInside(
  address: Int32Array,
  at: number,
  network: Int32Array,
  networkAt: number,
  length: number,
): boolean {
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    if ((address[at + word]! & MASKS[length * ADDRESS_WORDS + word]!) !== network[networkAt + word]) return false;
  }
  return true;
}
