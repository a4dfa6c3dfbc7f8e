import { expect, test } from "vitest";
import { route } from "../../test/fixtures/bgp-peers.ts";
import { aggregateRoutes } from "./aggregate.ts";

test("host routes become the wider prefix that covers them, once, with all communities and the highest preference", () => {
  const routes = [
    route("192.0.2.1/32", { communities: ["65000:1"], localPreference: 100 }),
    route("192.0.2.200/32", { communities: ["65000:2"], localPreference: 300 }),
    route("198.51.100.1/32"),
  ];
  expect(aggregateRoutes(routes, { ipv4: 24, ipv6: null })).toEqual([
    route("192.0.2.0/24", { communities: ["65000:1", "65000:2"], localPreference: 300, med: null }),
    route("198.51.100.0/24"),
  ]);
});

test("each family has its own length, and a wider route stays as it is", () => {
  const routes = [route("10.0.0.0/8"), route("2001:db8::1/128", { nextHop: "fd98::2" })];
  expect(aggregateRoutes(routes, { ipv4: 24, ipv6: 64 }).map(({ prefix }) => prefix)).toEqual([
    "10.0.0.0/8",
    "2001:db8::/64",
  ]);
});

test("routes with different next hops are not merged", () => {
  const routes = [route("192.0.2.1/32"), route("192.0.2.2/32", { nextHop: "10.9.9.9" })];
  expect(aggregateRoutes(routes, { ipv4: 24, ipv6: null })).toHaveLength(2);
});
