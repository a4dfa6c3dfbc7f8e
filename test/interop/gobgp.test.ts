/**
 * Our speaker against a real GoBGP 3.10 router: sessions, routes and attributes in both directions, refresh in both, MD5,
 * TTL security, both families and RFC 8950, shutdown texts, hold time, collision, graceful restart.
 *
 * It cannot do: roles, BFD (since 4.6 only), kernel routes without zebra (so its own table is looked at).
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { route } from "../fixtures/bgp-peers.ts";
import { waitFor } from "../lab/wait-for.ts";
import { Gobgp } from "./gobgp.ts";
import {
  BOTH_FAMILIES,
  instanceWith,
  NODE,
  NODE6,
  PeerLab,
  ROUTER,
  ROUTER6,
  routerPeer,
  VIP,
  VIP6,
} from "./peer-lab.ts";

let net: PeerLab;
let gobgp: Gobgp;

interface NeighborOptions {
  readonly neighbor?: string;
  readonly config?: string;
  readonly more?: string;
  readonly families?: readonly string[];
}

/** GoBGP waits for us: its own first connection takes 6 to 9 seconds. */
function router({ neighbor = NODE, config = "", more = "", families = ["ipv4-unicast"] }: NeighborOptions = {}) {
  const restart = more.includes("graceful-restart") ? ", mp-graceful-restart: { config: { enabled: true } }" : "";
  const afiSafis = families.map((name) => `{ config: { afi-safi-name: ${name} }${restart} }`).join(", ");
  return `
global:
  config: { as: 65001, router-id: 192.168.1.1, port: 179, local-address-list: [0.0.0.0, "::"] }
neighbors:
  - config: { neighbor-address: "${neighbor}", peer-as: 65000${config} }
    transport: { config: { passive-mode: true } }
    timers: { config: { hold-time: 9, keepalive-interval: 3, idle-hold-time-after-reset: 1 } }
    ${more}
    afi-safis: [ ${afiSafis} ]
`;
}

async function learned(prefix: string, family: "ipv4" | "ipv6" = "ipv4"): Promise<void> {
  await waitFor(`${prefix} in GoBGP's table`, () => gobgp.rib(family)[prefix], { timeoutSeconds: 15 });
}

async function forgotten(prefix: string): Promise<void> {
  await waitFor(`${prefix} to leave GoBGP's table`, () => gobgp.rib()[prefix] === undefined);
}

beforeAll(() => {
  net = new PeerLab();
  gobgp = new Gobgp(net.lab, net.router);
});

afterEach(async () => {
  await net.apply();
  await gobgp.stop();
});

afterAll(() => net?.close());

describe("routes", () => {
  test("are learned with attributes of all kinds, sent again on request, and withdrawn without a reset", async () => {
    await gobgp.start(router());
    const marked = route(VIP, { communities: ["65000:100"], largeCommunities: ["65000:1:2"], med: 7 });
    await net.apply(routerPeer({ routes: [marked] }));
    await learned(VIP);
    expect(gobgp.attribute(VIP, 3)).toBe(NODE);
    expect(JSON.stringify(gobgp.rib()[VIP])).toContain(String(65000 * 65536 + 100));
    expect(gobgp.ask("global", "rib", VIP)).toContain("65000:1:2");
    const { messagesSent } = await net.status();
    gobgp.ask("neighbor", NODE, "softresetin");
    await waitFor("the routes again", async () => (await net.status()).messagesSent > messagesSent);
    await net.apply(routerPeer({ routes: [] }));
    await forgotten(VIP);
    expect((await net.status()).timesEstablished).toBe(1);
  });

  test("of GoBGP are shown here", async () => {
    await gobgp.start(router());
    await net.apply(routerPeer());
    await net.established();
    const attributes = "community 65001:5,no-export large-community 65001:1:2 rt 65001:7 med 77".split(" ");
    gobgp.ask("global", "rib", "add", "198.51.100.0/24", ...attributes);
    await waitFor("the route", async () => (await net.speaker.received("router")).length === 1);
    expect((await net.speaker.received("router"))[0]).toMatchObject({
      prefix: "198.51.100.0/24",
      communities: ["65001:5", "65535:65281"],
      largeCommunities: ["65001:1:2"],
      extendedCommunities: ["rt:65001:7"],
      med: 77,
      asPath: [{ kind: "sequence", asns: [65001] }],
    });
  });

  test("of GoBGP come again when we ask, and it forgets those that it takes back", async () => {
    await gobgp.start(router());
    await net.apply(routerPeer());
    await net.established();
    gobgp.ask("global", "rib", "add", "198.51.100.0/24");
    await waitFor("the route", async () => (await net.status()).routesReceived === 1);
    const { messagesReceived } = await net.status();
    await net.speaker.refresh("router");
    await waitFor("the route again", async () => (await net.status()).messagesReceived > messagesReceived);
    expect(await net.status()).toMatchObject({ routesReceived: 1, timesEstablished: 1 });
    gobgp.ask("global", "rib", "del", "198.51.100.0/24");
    await waitFor("the withdrawal", async () => (await net.status()).routesReceived === 0);
  });

  test("marked with well-known communities are what GoBGP shows by name", async () => {
    await gobgp.start(router());
    await net.apply(routerPeer({ routes: [route(VIP, { communities: ["no-export", "blackhole"] })] }));
    await learned(VIP);
    expect(gobgp.ask("global", "rib", VIP)).toMatch(/no-export.*blackhole|blackhole.*no-export/i);
  });

  test("of both families go over one IPv6 session, IPv4 with an IPv6 next hop", async () => {
    await gobgp.start(router({ neighbor: NODE6, families: ["ipv4-unicast", "ipv6-unicast"] }));
    const routes = [route(VIP, { nextHop: "self" }), route(VIP6, { nextHop: "self" })];
    await net.apply(routerPeer({ address: ROUTER6, families: BOTH_FAMILIES, extendedNextHop: true, routes }));
    await learned(VIP);
    await learned(VIP6, "ipv6");
    expect(JSON.stringify(gobgp.rib()[VIP])).toContain(NODE6);
  });
});

describe("protection", () => {
  test("by a password holds, and the wrong one does not come up", async () => {
    await gobgp.start(router({ config: ", auth-password: correct-horse" }));
    await net.apply(routerPeer({ password: "correct-horse", routes: [route(VIP)] }));
    await learned(VIP);
    await net.apply(routerPeer({ password: "battery-staple", routes: [route(VIP)] }));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await net.status()).state).not.toBe("Established");
  });

  test("by TTL security holds", async () => {
    await gobgp.start(router({ more: "ttl-security: { config: { enabled: true, ttl-min: 255 } }" }));
    await net.apply(routerPeer({ ttlSecurityHops: 1, routes: [route(VIP)] }));
    await learned(VIP);
  });
});

describe("the end of a session", () => {
  test("by GoBGP's operator is shown with the words", async () => {
    await gobgp.start(router());
    await net.apply(routerPeer({ routes: [route(VIP)] }));
    await learned(VIP);
    gobgp.ask("neighbor", NODE, "shutdown", "new line card");
    expect(await net.ended()).toContain("Cease/Administrative Shutdown");
  });

  test("by us takes the routes away", async () => {
    await gobgp.start(router());
    await net.apply(routerPeer({ routes: [route(VIP)] }));
    await learned(VIP);
    await net.apply(routerPeer({ routes: [route(VIP)], shutdown: "node drain" }));
    await forgotten(VIP);
    await waitFor("our words in its log", () => gobgp.log().includes("node drain"), { seen: () => gobgp.log() });
  });

  test("by silence comes when the hold time is over, on both sides", async () => {
    await gobgp.start(router());
    await net.apply(routerPeer({ routes: [route(VIP)], holdTimeSeconds: 3, keepaliveTimeSeconds: 1 }));
    await learned(VIP);
    gobgp.signal("SIGSTOP");
    try {
      expect(await net.ended(8)).toContain("nothing was heard from the peer for 3 seconds");
    } finally {
      gobgp.signal("SIGCONT");
    }
    await net.established();
    await learned(VIP);
    net.speaker.signal("SIGSTOP");
    try {
      await waitFor("the route to go", () => gobgp.rib()[VIP] === undefined, { timeoutSeconds: 8 });
    } finally {
      net.speaker.signal("SIGCONT");
    }
  });

  test("that a crash makes leaves the route in GoBGP's table all the time (graceful restart)", async () => {
    const more = "graceful-restart: { config: { enabled: true, restart-time: 30, notification-enabled: true } }";
    await gobgp.start(router({ more }));
    const spec = instanceWith({}, routerPeer({ gracefulRestartSeconds: 60, routes: [route(VIP)] }));
    await net.speaker.apply(spec);
    await learned(VIP);
    await net.speaker.kill();
    await waitFor("the route to be kept as stale", () => gobgp.rib()[VIP]?.[0]?.stale === true);
    await net.crash(spec);
    await net.established();
    await waitFor(
      "the route to be fresh",
      () => gobgp.rib()[VIP]?.[0]?.stale !== true && gobgp.rib()[VIP] !== undefined,
    );
  });
});

test("connections from both sides end with one session", async () => {
  await gobgp.start(router().replace("passive-mode: true", "passive-mode: false"));
  await net.speaker.apply(instanceWith({ listenPort: 179 }, routerPeer({ address: ROUTER, routes: [route(VIP)] })));
  await learned(VIP);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect((await net.status()).state).toBe("Established");
});
