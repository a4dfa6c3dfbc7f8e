/**
 * Our speaker against a real ExaBGP 4.2: sessions in both directions, routes and attributes, our answer to a refresh, MD5, TTL
 * security, both families over IPv4 and IPv6 and RFC 8950, shutdown, hold time, collision, graceful restart.
 *
 * It cannot do: answer a refresh of ours (it resets the connection); roles and BFD; install routes, or keep them after a crash of ours (it is no router); show a NOTIFICATION
 * of ours in its API.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { route } from "../fixtures/bgp-peers.ts";
import { waitFor } from "../lab/wait-for.ts";
import { Exabgp } from "./exabgp.ts";
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
let exabgp: Exabgp;

const NEIGHBOR = `local-as 65001; peer-as 65000; local-address ${ROUTER}; router-id 192.168.1.1; hold-time 9;
  family { ipv4 unicast; ipv6 unicast; } capability { asn4 enable; route-refresh enable; graceful-restart 30; }`;

async function heard(what: string): Promise<void> {
  await waitFor(`ExaBGP to hear of ${what}`, () => exabgp.updates().includes(what), { seen: () => exabgp.updates() });
}

beforeAll(() => {
  net = new PeerLab();
  exabgp = new Exabgp(net.lab, net.router);
});

afterEach(async () => {
  await net.apply();
  await exabgp.stop();
});

afterAll(() => net?.close());

/** ExaBGP connects, we wait: it listens only when it is told to. */
const waiting = (more: Parameters<typeof routerPeer>[0]) =>
  routerPeer({ passive: true, families: BOTH_FAMILIES, ...more });

test("routes of both families are heard with their attributes, and withdrawn without a reset", async () => {
  const routes = [
    route(VIP, { communities: ["65000:100"], largeCommunities: ["65000:1:2"], med: 9 }),
    route(VIP6, { nextHop: NODE6 }),
  ];
  await net.apply(waiting({ routes }));
  await exabgp.start(NODE, NEIGHBOR);
  await heard(VIP);
  await heard(VIP6);
  const told = exabgp.updates();
  expect(told).toContain('"community":[[65000,100]]');
  expect(told).toContain('"large-community":[[65000,1,2]]');
  expect(told).toContain('"med":9');
  await net.apply(waiting({ routes: [] }));
  await waitFor("the withdrawal", () => /"withdraw":\{[^}]*192\.168\.10\.100/.test(exabgp.updates()));
  expect((await net.status()).timesEstablished).toBe(1);
});

test("routes of ExaBGP are shown here, with communities of all kinds", async () => {
  await net.apply(waiting({}));
  const announce = `announce { ipv4 { unicast 203.0.113.0/24 next-hop ${ROUTER} community [65001:100 no-export] large-community [65001:1:2] extended-community [target:65001:7] med 77; } }`;
  await exabgp.start(NODE, `${NEIGHBOR} ${announce}`);
  await waitFor("the route", async () => (await net.speaker.received("router")).length === 1);
  expect((await net.speaker.received("router"))[0]).toMatchObject({
    prefix: "203.0.113.0/24",
    nextHop: ROUTER,
    med: 77,
    communities: ["65001:100", "65535:65281"],
    largeCommunities: ["65001:1:2"],
    extendedCommunities: ["rt:65001:7"],
  });
});

test("our routes come again when ExaBGP asks, and its own go when it withdraws them", async () => {
  await net.apply(waiting({ routes: [route(VIP)] }));
  await exabgp.start(NODE, NEIGHBOR);
  await heard(VIP);
  exabgp.tell(`announce route 203.0.113.0/24 next-hop ${ROUTER}`);
  await waitFor("the route", async () => (await net.status()).routesReceived === 1);
  const { messagesSent } = await net.status();
  exabgp.tell("announce route-refresh ipv4 unicast");
  await waitFor("our answer", async () => (await net.status()).messagesSent > messagesSent, {
    seen: () => exabgp.log().slice(-1500),
  });
  exabgp.tell(`withdraw route 203.0.113.0/24 next-hop ${ROUTER}`);
  await waitFor("the withdrawal", async () => (await net.status()).routesReceived === 0);
  expect((await net.status()).timesEstablished).toBe(1);
});

test("both families go over one IPv6 session, IPv4 with an IPv6 next hop (RFC 8950)", async () => {
  const routes = [route(VIP, { nextHop: "self" }), route(VIP6, { nextHop: "self" })];
  await net.apply(waiting({ address: ROUTER6, extendedNextHop: true, routes }));
  const over6 = NEIGHBOR.replace(ROUTER, ROUTER6).replace("asn4 enable;", "asn4 enable; nexthop enable;");
  await exabgp.start(NODE6, `${over6} nexthop { ipv4 unicast ipv6; }`);
  await heard(VIP6);
  await heard(VIP);
  expect(exabgp.updates()).toMatch(new RegExp(`"ipv4 unicast":\\{"${NODE6}"`));
});

test("TTL security holds on a connection that ExaBGP opens", async () => {
  await net.apply(waiting({ ttlSecurityHops: 1, routes: [route(VIP)] }));
  await exabgp.start(NODE, `${NEIGHBOR} outgoing-ttl 255; incoming-ttl 255;`);
  await heard(VIP);
});

test("silence ends the session when the hold time is over, on both sides", async () => {
  await net.apply(waiting({ routes: [route(VIP)], holdTimeSeconds: 3, keepaliveTimeSeconds: 1 }));
  await exabgp.start(NODE, NEIGHBOR.replace("hold-time 9", "hold-time 3"));
  await heard(VIP);
  exabgp.signal("SIGSTOP");
  try {
    expect(await net.ended(8)).toContain("nothing was heard from the peer for 3 seconds");
  } finally {
    exabgp.signal("SIGCONT");
  }
  await net.established(30);
  net.speaker.signal("SIGSTOP");
  try {
    const downs = () => exabgp.lines().filter(({ neighbor }) => neighbor?.state === "down").length;
    const before = downs();
    await waitFor("ExaBGP to notice", () => downs() > before, { timeoutSeconds: 10 });
  } finally {
    net.speaker.signal("SIGCONT");
  }
});

test("connections from both sides end with one session", async () => {
  await net.speaker.apply(
    instanceWith({ listenPort: 179 }, routerPeer({ families: BOTH_FAMILIES, routes: [route(VIP)] })),
  );
  await exabgp.start(NODE, NEIGHBOR, { "exabgp.tcp.bind": ROUTER, "exabgp.tcp.port": "179" });
  await heard(VIP);
  await net.established(20);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect((await net.status()).state).toBe("Established");
});

test("a password holds on a connection that ExaBGP opens", async () => {
  await net.apply(waiting({ password: "correct-horse", routes: [route(VIP)] }));
  await exabgp.start(NODE, `${NEIGHBOR} md5-password "correct-horse";`);
  await heard(VIP);
});

test("our shutdown ends the session there, and its text is on the wire", async () => {
  await net.apply(waiting({ routes: [route(VIP)] }));
  await exabgp.start(NODE, NEIGHBOR);
  await heard(VIP);
  await net.apply(waiting({ routes: [route(VIP)], shutdown: "node drain" }));
  // The API of ExaBGP 4.2 cannot show a NOTIFICATION, so the text is looked for in what we sent.
  await waitFor("ExaBGP to be down", () => exabgp.lines().some(({ neighbor }) => neighbor?.state === "down"));
  expect((await net.speaker.capture("router")).includes("node drain")).toBe(true);
});

test("a crash of ours is over when our routes are told again", async () => {
  const spec = instanceWith({}, waiting({ gracefulRestartSeconds: 30, routes: [route(VIP)] }));
  await net.speaker.apply(spec);
  await exabgp.start(NODE, NEIGHBOR);
  await heard(VIP);
  await net.crash(spec);
  await net.established();
  await waitFor("the route again", () => exabgp.updates().split(VIP).length > 2);
});
