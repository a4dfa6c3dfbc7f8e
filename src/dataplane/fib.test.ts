import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ipv4FromNumber, netmask, parseIpv4, parseIpv4Prefix, prefixContains } from "../net/ipv4.ts";
import { rawAddress } from "../wire/raw.ts";
import { Fib, NO_ROUTE, type Route } from "./fib.ts";

const ip = (text: string) => parseIpv4(text)!;
const route = (prefix: string, via: string | null, port: number): Route => ({
  prefix: parseIpv4Prefix(prefix)!,
  gateway: via === null ? null : ip(via),
  port,
});

describe("the FIB", () => {
  it("prefers the longest prefix and falls back to the default route", () => {
    const fib = Fib.build([
      route("0.0.0.0/0", "10.1.0.2", 0),
      route("10.2.0.0/16", null, 1),
      route("10.2.3.4/32", "10.2.0.9", 1),
    ]);
    const of = (text: string) => {
      const entry = fib.lookup(ip(text));
      return [fib.gateway(entry), fib.port(entry)];
    };
    expect(of("10.2.3.4")).toEqual([rawAddress(ip("10.2.0.9")), 1]);
    expect(of("10.2.3.5")).toEqual([0, 1]);
    expect(of("203.0.113.9")).toEqual([rawAddress(ip("10.1.0.2")), 0]);
  });

  it("keeps the first of several routes to one prefix, and says when there is none", () => {
    const fib = Fib.build([route("10.0.0.0/8", null, 2), route("10.0.0.0/8", null, 3)]);
    expect(fib.port(fib.lookup(ip("10.1.1.1")))).toBe(2);
    expect(fib.lookup(ip("11.1.1.1"))).toBe(NO_ROUTE);
  });

  it("agrees with a linear search", () => {
    const prefix = fc
      .tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 32 }))
      .map(([address, length]) => ({ address: ipv4FromNumber(address & netmask(length)), length }));
    const routes = fc.uniqueArray(prefix, { selector: (p) => `${p.address}/${p.length}`, maxLength: 40 });
    fc.assert(
      fc.property(routes, fc.array(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 20 }), (prefixes, probes) => {
        const list = prefixes.map((p, port) => ({ prefix: p, gateway: null, port: port & 15 }));
        const fib = Fib.build(list);
        for (const probe of [...probes, ...prefixes.map((p) => p.address)]) {
          const address = ipv4FromNumber(probe);
          const best = list
            .filter((candidate) => prefixContains(candidate.prefix, address))
            .sort((a, b) => b.prefix.length - a.prefix.length)[0];
          const entry = fib.lookup(address);
          expect(entry === NO_ROUTE ? undefined : fib.port(entry)).toBe(best?.port);
        }
      }),
    );
  });
});
