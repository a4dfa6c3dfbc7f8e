/** What a session adds to declared routes, and what it makes of received ones: roles, shutdown, next hops. */
import { describe, expect, test } from "vitest";
import { CONFIG, route } from "../../test/fixtures/bgp-peers.ts";
import { AdjRibIn } from "./adj-rib-in.ts";
import { AdjRibOut } from "./adj-rib-out.ts";
import type { Role } from "./capability.ts";
import { compileRoutes } from "./compile-routes.ts";
import { type ExportPolicy, exportPolicy } from "./export-policy.ts";
import { Fault } from "./fault.ts";
import type { Update } from "./message.ts";
import { decodeMessage } from "./message-codec.ts";
import { messageToJson } from "./message-json.ts";
import { type Negotiated, negotiate, openFor, type SessionConfig } from "./negotiation.ts";
import type { RouteSpec } from "./speaker-spec.ts";
import { RouteTables, UpdateGroups } from "./update-group.ts";

const BOTH: SessionConfig["families"] = [
  { afi: "ipv4", safi: "unicast" },
  { afi: "ipv6", safi: "unicast" },
];
const OURS: SessionConfig = { ...CONFIG, families: BOTH };
const PEER: SessionConfig = { ...OURS, localAsn: 65001, peerAsn: 65000, routerId: (CONFIG.routerId + 1) as never };

const session = (ours: Partial<SessionConfig> = {}, theirs: Partial<SessionConfig> = {}) =>
  negotiate({ ...OURS, ...ours }, openFor({ ...PEER, ...theirs })) as Negotiated;

function told(negotiated: Negotiated, policy: ExportPolicy, ...routes: RouteSpec[]) {
  return new AdjRibOut(negotiated, policy)
    .announce(compileRoutes(routes))
    .slice(0, -2)
    .map((octets) => decodeMessage(octets, negotiated.wire).message as Update);
}

const plain = (negotiated: Negotiated, self: string | null = "10.1.1.2") =>
  exportPolicy(negotiated, 65000, self, false);

describe("roles (RFC 9234)", () => {
  const outcome = (ours: Role | null, theirs: Role | null, strictRole = false) => {
    const found = negotiate({ ...OURS, role: ours, strictRole }, openFor({ ...PEER, role: theirs }));
    return found instanceof Fault ? `${found.code}/${found.subcode}` : "accepted";
  };

  test.each([
    ["provider", "customer", "accepted"],
    ["customer", "provider", "accepted"],
    ["route-server", "route-server-client", "accepted"],
    ["route-server-client", "route-server", "accepted"],
    ["peer", "peer", "accepted"],
    ["provider", "provider", "2/11"],
    ["peer", "customer", "2/11"],
    ["customer", null, "accepted"],
    [null, "provider", "accepted"],
  ] as const)("%s toward %s is %s", (ours, theirs, expected) => {
    expect(outcome(ours, theirs)).toBe(expected);
  });

  test("a strict session refuses a peer that names none", () => {
    expect(outcome("customer", null, true)).toBe("2/11");
  });

  test.each([
    ["provider", 65000],
    ["peer", 65000],
    ["route-server", 65000],
    ["customer", null],
    ["route-server-client", null],
  ] as const)("as %s our routes carry ONLY_TO_CUSTOMER %s", (role, mark) => {
    const negotiated = session({ role });
    expect(told(negotiated, plain(negotiated), route("10.0.0.1/32"))[0]!.attributes.onlyToCustomer).toBe(mark);
  });

  test.each([
    ["provider", 65009, { onlyToCustomer: 65009, leaked: true }],
    ["provider", null, { onlyToCustomer: null, leaked: false }],
    ["peer", 65009, { onlyToCustomer: 65009, leaked: true }],
    ["peer", 65001, { onlyToCustomer: 65001, leaked: false }],
    ["peer", null, { onlyToCustomer: 65001, leaked: false }],
    ["customer", null, { onlyToCustomer: 65001, leaked: false }],
    ["customer", 65009, { onlyToCustomer: 65009, leaked: false }],
  ] as const)("as %s a received mark %s is taken as %o", (role, received, expected) => {
    const sender = session();
    const policy = { ...plain(sender), onlyToCustomer: received };
    const rib = new AdjRibIn({ role, peerAsn: 65001, wire: sender.wire });
    for (const update of told(sender, policy, route("10.0.0.1/32"))) rib.take(update);
    expect(rib.routes(1)[0]).toMatchObject(expected);
  });
});

describe("next hops", () => {
  const extended = session({ extendedNextHop: true }, { extendedNextHop: true });

  test("`self` is our address on the session", () => {
    expect(
      messageToJson(told(session(), plain(session()), route("10.0.0.1/32", { nextHop: "self" }))[0]!),
    ).toMatchObject({
      attributes: { nextHop: "10.1.1.2" },
    });
  });

  test("of an IPv4 route may be IPv6 where both sides agreed", () => {
    const [update] = told(extended, plain(extended, "fd98::2"), route("10.0.0.1/32", { nextHop: "self" }));
    expect(messageToJson(update!)).toMatchObject({
      attributes: { mpReach: { afi: "ipv4", nextHops: ["fd98::2"], nlri: ["10.0.0.1/32"] } },
      nlri: [],
    });
  });

  test("that the peer could not use keep the route here", () => {
    const rib = new AdjRibOut(session(), plain(session(), "fd98::2"));
    rib.announce(compileRoutes([route("10.0.0.1/32", { nextHop: "self" }), route("10.0.0.2/32")]));
    expect(rib.size).toBe(1);
  });
});

test("a graceful shutdown announces everything again, marked, and at preference 0 inside our AS", () => {
  const inside = session({ peerAsn: 65000 }, { localAsn: 65000 });
  const rib = new AdjRibOut(inside, plain(inside));
  const declared = compileRoutes([route("10.0.0.1/32", { asPath: [], localPreference: 200 })]);
  rib.announce(declared);
  const marked = rib.announce(declared, exportPolicy(inside, 65000, "10.1.1.2", true));
  expect(marked).toHaveLength(1);
  expect(decodeMessage(marked[0]!, inside.wire).message).toMatchObject({
    attributes: { communities: [0xffff0000], localPreference: 0 },
  });
  expect(rib.announce(declared, exportPolicy(inside, 65000, "10.1.1.2", true))).toEqual([]);
});

test("sessions of one group are given the very same octets", () => {
  const [tables, groups] = [new RouteTables(), new UpdateGroups()];
  const routes = () => [route("10.0.0.1/32"), route("10.0.0.2/32", { communities: ["no-export"] })];
  const ribs = [session(), session()].map((one) => new AdjRibOut(one, plain(one), groups));
  const [first, second] = ribs.map((rib) => rib.announce(tables.shared(compileRoutes(routes()))));
  expect(first![0]).toBe(second![0]);
  expect(ribs[0]!.sent).toBe(ribs[1]!.sent);
});

test("what a peer does not repeat between begin and end of its refresh is forgotten", () => {
  const negotiated = session();
  const rib = new AdjRibIn(negotiated);
  const both = told(negotiated, plain(negotiated), route("10.0.0.1/32"), route("10.0.0.2/32", { asPath: [1, 2] }));
  for (const update of both) rib.take(update);
  rib.beginRefresh("ipv4");
  rib.take(both[0]!);
  rib.endRefresh("ipv4");
  expect(rib.routes(9).map(({ prefix }) => prefix)).toEqual(["10.0.0.1/32"]);
});
