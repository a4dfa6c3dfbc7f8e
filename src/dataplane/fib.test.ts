import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import { ADDRESS_WORDS, loadAddress, storeAddress } from "../wire/raw.ts";
import { Fib, NO_ROUTE, type Route } from "./fib.ts";

const ip = (text: string) => parseIpAddress(text)!;

function route(destination: string, via: string | null, port: number): Route {
  const [address, length] = destination.split("/");
  return { destination: ip(address!), prefixLength: Number(length), gateway: via === null ? null : ip(via), port };
}

function words(address: IpAddress): Int32Array {
  const stored = new Int32Array(ADDRESS_WORDS);
  storeAddress(stored, 0, address);
  return stored;
}

/** Port and gateway for an address; `null` when there is no route. */
function find(fib: Fib, address: IpAddress): [number, IpAddress | null] | null {
  const entry = fib.lookup(words(address), 0);
  if (entry === NO_ROUTE) return null;
  return [fib.port(entry), fib.hasGateway(entry) ? loadAddress(fib.words, fib.gatewayAt(entry)) : null];
}

describe("the FIB", () => {
  it("prefers the longest prefix and falls back to the default route of the family", () => {
    const fib = Fib.build([
      route("0.0.0.0/0", "10.1.0.2", 0),
      route("::/0", "fe80::1", 2),
      route("10.2.0.0/16", null, 1),
      route("10.2.3.4/32", "10.2.0.9", 1),
      route("2001:db8::/32", null, 3),
    ]);
    expect(find(fib, ip("10.2.3.4"))).toEqual([1, ip("10.2.0.9")]);
    expect(find(fib, ip("10.2.3.5"))).toEqual([1, null]);
    expect(find(fib, ip("203.0.113.9"))).toEqual([0, ip("10.1.0.2")]);
    expect(find(fib, ip("2001:db8::9"))).toEqual([3, null]);
    expect(find(fib, ip("2001:db9::9"))).toEqual([2, ip("fe80::1")]);
  });

  it("keeps the first of several routes to one prefix, and says when there is none", () => {
    const fib = Fib.build([route("10.0.0.0/8", null, 2), route("10.0.0.0/8", null, 3), route("::/0", null, 4)]);
    expect(find(fib, ip("10.1.1.1"))).toEqual([2, null]);
    expect(find(fib, ip("11.1.1.1"))).toBeNull();
  });

  it("agrees with a linear search", () => {
    const address = fc.oneof(
      fc.integer({ min: 0, max: 0xffffffff }).map((value): IpAddress => ({ family: 4, value: BigInt(value) })),
      fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value): IpAddress => ({ family: 6, value })),
    );
    const routes = fc.array(fc.tuple(address, fc.nat({ max: 128 })), { maxLength: 40 });
    fc.assert(
      fc.property(routes, fc.array(address, { minLength: 20 }), (prefixes, probes) => {
        const list = prefixes.map(([destination, length], port): Route => {
          const prefixLength = destination.family === 4 ? length % 33 : length;
          return { destination, prefixLength, gateway: null, port: port & 15 };
        });
        const fib = Fib.build(list);
        for (const probe of [...probes, ...prefixes.map(([destination]) => destination)]) {
          const best = list
            .filter((candidate) => contains(candidate, probe))
            .sort((a, b) => b.prefixLength - a.prefixLength)[0];
          expect(find(fib, probe)?.[0]).toBe(best?.port);
        }
      }),
    );
  });
});

function contains({ destination, prefixLength }: Route, address: IpAddress): boolean {
  if (destination.family !== address.family) return false;
  const host = BigInt((address.family === 4 ? 32 : 128) - prefixLength);
  return destination.value >> host === address.value >> host;
}
