import fc from "fast-check";
import { expect, test } from "vitest";
import { addressWords } from "../dataplane/address-hash.ts";
import { addressBits, formatIpAddress, type IpAddress, type IpPrefix, parseIpPrefix } from "../net/ip-address.ts";
import { AddressView } from "./address-view.ts";
import { PrefixSet, prefixSetMemory } from "./prefix-set.ts";

const NO_HASH = { flows4: { hash: () => 0 }, flows6: { hashKey: () => 0 } };
const view = (address: IpAddress) => new AddressView(addressWords(address), NO_HASH);
const setOf = (...texts: string[]) => new PrefixSet(prefixSetMemory(texts.map((text) => parseIpPrefix(text)!)));
const has = (set: PrefixSet, text: string) =>
  set.has(view(parseIpPrefix(`${text}/${text.includes(":") ? 128 : 32}`)!.address));

/** Addresses of few bits, so that they meet prefixes often. */
const address: fc.Arbitrary<IpAddress> = fc.oneof(
  fc
    .nat(31)
    .map((low): IpAddress => ({ family: 4, value: BigInt((0xcb007100 ^ (low & 7) ^ ((low >> 3) << 30)) >>> 0) })),
  fc
    .nat(31)
    .map((low): IpAddress => ({ family: 6, value: (0x20010db8n << 96n) | BigInt((low & 7) + (low >> 3) * 2 ** 40) })),
);
const prefix: fc.Arbitrary<IpPrefix> = address.chain((of) =>
  fc.nat(addressBits(of.family)).map((prefixLength) => ({ address: of, prefixLength })),
);

/** The slow twin: bit by bit, one prefix after another. */
function isIn({ family, value }: IpAddress, prefixes: readonly IpPrefix[]): boolean {
  return prefixes.some(({ address: network, prefixLength }) => {
    const rest = BigInt(addressBits(family) - prefixLength);
    return network.family === family && network.value >> rest === value >> rest;
  });
}

test("it has an address exactly when one of its prefixes does", () => {
  fc.assert(
    fc.property(fc.array(prefix, { maxLength: 40 }), fc.array(address, { minLength: 1 }), (prefixes, addresses) => {
      const set = new PrefixSet(prefixSetMemory(prefixes));
      for (const one of addresses) expect(set.has(view(one)), formatIpAddress(one)).toBe(isIn(one, prefixes));
    }),
  );
});

test("all addresses of one family are none of the other", () => {
  expect(has(setOf("::/0"), "192.0.2.1")).toBe(false);
  expect(has(setOf("::/0"), "2001:db8::1")).toBe(true);
  expect(has(setOf("0.0.0.0/0"), "2001:db8::1")).toBe(false);
  expect(has(setOf("0.0.0.0/0"), "192.0.2.1")).toBe(true);
});

test("an empty set has nothing, and doubles and host bits do no harm", () => {
  expect(has(setOf(), "192.0.2.1")).toBe(false);
  const set = setOf("192.0.2.77/24", "192.0.2.0/24", "2001:db8::7/32", "2001:db8::/32");
  expect(["192.0.2.1", "192.0.3.1", "2001:db8:1::1", "2001:db9::1"].map((text) => has(set, text))).toEqual([
    true,
    false,
    true,
    false,
  ]);
});
