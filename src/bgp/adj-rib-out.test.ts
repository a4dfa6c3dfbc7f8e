import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CONFIG, route } from "../../test/fixtures/bgp-peers.ts";
import { AdjRibIn, type ReceivedRoute } from "./adj-rib-in.ts";
import { AdjRibOut } from "./adj-rib-out.ts";
import { compileRoutes } from "./compile-routes.ts";
import { exportPolicy } from "./export-policy.ts";
import type { Update } from "./message.ts";
import { decodeMessage } from "./message-codec.ts";
import { endOfRibFamily, messageToJson } from "./message-json.ts";
import { type Negotiated, negotiate, openFor, type SessionConfig } from "./negotiation.ts";
import { NO_ROUTES, tableSize } from "./route-table.ts";
import type { RouteSpec } from "./speaker-spec.ts";

const BOTH: SessionConfig["families"] = [
  { afi: "ipv4", safi: "unicast" },
  { afi: "ipv6", safi: "unicast" },
];

function negotiated(peerAsn: number, families = BOTH): Negotiated {
  const peer = { ...CONFIG, localAsn: peerAsn, families, routerId: CONFIG.routerId + 1 } as SessionConfig;
  return negotiate({ ...CONFIG, peerAsn, families }, openFor(peer)) as Negotiated;
}

const ribOut = (session: Negotiated) => new AdjRibOut(session, exportPolicy(session, 65000, "10.1.1.2", false));

const updates = (messages: readonly Uint8Array[], session: Negotiated) =>
  messages.map((octets) => {
    const { message, faults } = decodeMessage(octets, session.wire);
    expect(faults).toEqual([]);
    return message as Update;
  });

const json = (messages: readonly Uint8Array[], session: Negotiated) => updates(messages, session).map(messageToJson);

describe("what the peer is told", () => {
  test("is each declared route once, then End-of-RIB of each family, once", () => {
    const session = negotiated(65001);
    const rib = ribOut(session);
    const declared = compileRoutes([route("192.168.10.100/32"), route("2001:db8::1/128", { nextHop: "2001:db8::2" })]);
    expect(json(rib.announce(declared), session)).toMatchObject([
      {
        type: "UPDATE",
        withdrawn: [],
        attributes: { origin: "IGP", asPath: [65000], nextHop: "10.1.1.2" },
        nlri: ["192.168.10.100/32"],
      },
      {
        type: "UPDATE",
        withdrawn: [],
        attributes: {
          origin: "IGP",
          asPath: [65000],
          mpReach: { afi: "ipv6", safi: "unicast", nextHops: ["2001:db8::2"], nlri: ["2001:db8::1/128"] },
        },
        nlri: [],
      },
      { type: "UPDATE", withdrawn: [], attributes: {}, nlri: [], endOfRib: "ipv4" },
      { withdrawn: [], nlri: [], endOfRib: "ipv6" },
    ]);
    expect(rib.announce(declared)).toEqual([]);
    expect(rib.size).toBe(2);
  });

  test("carries LOCAL_PREF to a peer in our AS only, 100 unless told otherwise", () => {
    const preferences = (peerAsn: number) => {
      const session = negotiated(peerAsn);
      const declared = compileRoutes([route("10.0.0.1/32"), route("10.0.0.2/32", { localPreference: 200 })]);
      return updates(ribOut(session).announce(declared), session).map((one) => one.attributes.localPreference);
    };
    expect(preferences(65000).slice(0, 2)).toEqual([100, 200]);
    expect(preferences(65001).slice(0, 2)).toEqual([null, null]);
  });

  test("leaves out a family that the session does not carry", () => {
    const session = negotiated(65001, [{ afi: "ipv4", safi: "unicast" }]);
    const rib = ribOut(session);
    rib.announce(compileRoutes([route("2001:db8::1/128", { nextHop: "2001:db8::2" })]));
    expect(rib.size).toBe(0);
  });

  test("is repeated in full on request, without withdrawals", () => {
    const session = negotiated(65001);
    const rib = ribOut(session);
    rib.announce(compileRoutes([route("10.0.0.1/32")]));
    const plain = { ...session, enhancedRefresh: false };
    const old = ribOut(plain);
    old.announce(compileRoutes([route("10.0.0.1/32")]));
    expect(json(old.refresh("ipv4"), session)).toMatchObject([{ nlri: ["10.0.0.1/32"] }]);
    expect(old.refresh("ipv6")).toEqual([]);
    expect(json(rib.refresh("ipv4"), session)).toMatchObject([
      { type: "ROUTE-REFRESH", subtype: 1 },
      { nlri: ["10.0.0.1/32"] },
      { type: "ROUTE-REFRESH", subtype: 2 },
    ]);
  });

  test("is packed: a hundred thousand routes of equal attributes in messages of about 800, none above 4096 octets", () => {
    const session = negotiated(65001);
    const routes: RouteSpec[] = [];
    for (let i = 0; i < 100_000; i++) routes.push(route(`10.${i >>> 16}.${(i >>> 8) & 255}.${i & 255}/32`));
    const rib = ribOut(session);
    const messages = rib.announce(compileRoutes(routes));
    expect(messages.length).toBeLessThan(100_000 / 780);
    expect(Math.max(...messages.map((message) => message.length))).toBeLessThanOrEqual(4096);
    const withdrawals = rib.announce(NO_ROUTES);
    expect(withdrawals.length).toBeLessThan(100_000 / 780);
    expect(Math.max(...withdrawals.map((message) => message.length))).toBeLessThanOrEqual(4096);
  });
});

test("after any sequence of declarations the peer has exactly the last one", () => {
  const routes = fc.uniqueArray(
    fc
      .record({
        prefix: fc.oneof(
          fc.integer({ min: 0, max: 30 }).map((i) => `10.0.0.${i}/32`),
          fc.integer({ min: 0, max: 30 }).map((i) => `2001:db8::${i.toString(16)}/128`),
        ),
        asPath: fc.constantFrom([65000], [65000, 65000]),
        communities: fc.constantFrom([], ["65000:1"]),
      })
      .map(({ prefix, ...more }) => route(prefix, prefix.includes(":") ? { ...more, nextHop: "2001:db8::ff" } : more)),
    { selector: ({ prefix }) => prefix, maxLength: 40 },
  );
  fc.assert(
    fc.property(fc.array(routes, { minLength: 1, maxLength: 5 }), (declarations) => {
      const session = negotiated(65001);
      const rib = ribOut(session);
      const peer = new AdjRibIn();
      for (const declaration of declarations) {
        for (const update of updates(rib.announce(compileRoutes(declaration)), session)) peer.take(update);
      }
      const text = ({ prefix, nextHop, asPath }: Pick<ReceivedRoute, "prefix" | "nextHop" | "asPath">) =>
        JSON.stringify({ prefix, nextHop, asPath });
      const expected = declarations.at(-1)!.map(({ prefix, nextHop, asPath }) => {
        const canonical = prefix.replace("2001:db8::0/", "2001:db8::/");
        return text({ prefix: canonical, nextHop, asPath: [{ kind: "sequence", asns: [...asPath] }] });
      });
      expect(peer.routes(1000).map(text).sort()).toEqual(expected.sort());
    }),
  );
});

describe("what the peer tells", () => {
  test("is kept up to a limit and counted as more beyond it", () => {
    const session = negotiated(65001);
    const messages = ribOut(session).announce(
      compileRoutes([route("10.0.0.1/32"), route("10.0.0.2/32"), route("10.0.0.3/32")]),
    );
    const rib = new AdjRibIn(undefined, 2);
    for (const update of updates(messages, session)) rib.take(update);
    expect(rib.size).toBe(2);
    expect(rib.overflowed).toBe(true);
    expect(rib.routes(1)).toHaveLength(1);
  });

  test("keeps a prefix that is both withdrawn and announced in one message", () => {
    const session = negotiated(65001);
    const [announced] = updates(ribOut(session).announce(compileRoutes([route("10.0.0.1/32")])), session);
    const rib = new AdjRibIn();
    rib.take({ ...announced!, withdrawn: announced!.nlri });
    expect(rib.size).toBe(1);
  });
});

test("routes that cannot be announced are refused one by one, with the reason", () => {
  const table = compileRoutes([
    route("10.0.0.1/32"),
    route("10.0.0.300/32"),
    route("10.0.0.2/32", { communities: ["65000:70000"] }),
    route("10.0.0.3/32", { nextHop: "nowhere" }),
    route("2001:db8::1/128"),
  ]);
  expect(tableSize(table)).toBe(1);
  expect(table.refused).toEqual([
    "10.0.0.300/32: not a prefix",
    "10.0.0.2/32: community 65000:70000 is not ASN:VALUE",
    "10.0.0.3/32: next hop nowhere is no address",
    "2001:db8::1/128: next hop 10.1.1.2 is not IPv6",
  ]);
});

test("an empty UPDATE is End-of-RIB of IPv4", () => {
  const none = { keys: [], pathIds: null };
  const [last] = updates(ribOut(negotiated(65001, BOTH.slice(0, 1))).announce(NO_ROUTES), negotiated(65001));
  expect(last).toMatchObject({ withdrawn: none, nlri: none });
  expect(endOfRibFamily(last!)).toBe("ipv4");
});
