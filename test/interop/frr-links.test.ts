/** Our speaker against a real FRR router on one link: what needs both families, BFD, or a crash. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { route } from "../fixtures/bgp-peers.ts";
import { Frr } from "../lab/frr.ts";
import { waitFor } from "../lab/wait-for.ts";
import { BOTH_FAMILIES, instanceWith, NODE, NODE6, PeerLab, ROUTER6, routerPeer, VIP, VIP6 } from "./peer-lab.ts";
import { failOverWhileBlocked } from "./two-paths.ts";

const CONFIG = `
bfd
 profile fast
  detect-multiplier 3
  receive-interval 50
  transmit-interval 50
 exit
exit
router bgp 65001
 bgp router-id 192.168.1.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
`;

const BFD = { transmitMilliseconds: 50, receiveMilliseconds: 50, multiplier: 3 };

let net: PeerLab;
let frr: Frr;

/** Lines about us in FRR's configuration; they are taken away after each test. */
function neighbor(address: string, ...lines: string[]): void {
  frr.configure("router bgp 65001", `neighbor ${address} remote-as 65000`, `neighbor ${address} timers connect 1`);
  frr.configure("router bgp 65001", ...lines.map((line) => `neighbor ${address} ${line}`));
}

function inFamily(afi: "ipv4" | "ipv6", ...lines: string[]): void {
  frr.configure("router bgp 65001", `address-family ${afi} unicast`, ...lines);
}

beforeAll(async () => {
  net = new PeerLab();
  frr = new Frr(net.lab, net.router, CONFIG, ["bfdd"]);
  await frr.start();
});

afterEach(async () => {
  await net.apply();
  for (const address of [NODE, NODE6]) frr.configure("router bgp 65001", `no neighbor ${address} remote-as 65000`);
  await net.gone(VIP);
});

afterAll(() => net?.close());

describe("both families over one session", () => {
  test("of IPv6, IPv4 with an IPv6 next hop (RFC 8950), and BFD beside it", async () => {
    neighbor(NODE6, "capability extended-nexthop", "bfd", "bfd profile fast");
    inFamily("ipv6", `neighbor ${NODE6} activate`);
    const routes = [route(VIP, { nextHop: "self" }), route(VIP6, { nextHop: "self" })];
    await net.apply(routerPeer({ address: ROUTER6, families: BOTH_FAMILIES, extendedNextHop: true, routes, bfd: BFD }));
    expect(await net.installed(VIP)).toContain("via inet6");
    expect(await net.installed(VIP6)).toContain("via ");
    await waitFor("BFD to be up", async () => (await net.status()).bfd === "Up", { timeoutSeconds: 15 });
    await net.speaker.block(400);
    expect((await net.status()).bfd).toBe("Up");
  });

  test("of IPv4, each with a next hop of its own family", async () => {
    neighbor(NODE);
    inFamily("ipv6", `neighbor ${NODE} activate`);
    const routes = [route(VIP), route(VIP6, { nextHop: NODE6 })];
    await net.apply(routerPeer({ families: BOTH_FAMILIES, routes }));
    await net.installed(VIP);
    await net.installed(VIP6);
  });
});

test("the default route's gateway is found and peered with", async () => {
  neighbor(NODE);
  net.node.ip("route add default via 10.1.1.1");
  try {
    const discovery = { kind: "default-gateway", family: "ipv4" } as const;
    await net.apply(routerPeer({ address: "", discovery, routes: [route(VIP)] }));
    await net.installed(VIP);
    expect((await net.status()).address).toBe("10.1.1.1");
  } finally {
    net.node.ip("route del default");
  }
});

describe("protection", () => {
  test("TTL security holds on both sides", async () => {
    neighbor(NODE, "ttl-security hops 1");
    await net.apply(routerPeer({ ttlSecurityHops: 1, routes: [route(VIP)] }));
    await net.installed(VIP);
  });

  test("roles that fit come up", async () => {
    neighbor(NODE, "local-role provider strict-mode");
    await net.apply(routerPeer({ role: "customer", strictRole: true, routes: [route(VIP)] }));
    await net.installed(VIP);
    expect(frr.vtysh(`show bgp neighbors ${NODE}`)).toContain("provider");
  });

  test("a password holds on a connection that FRR opens", async () => {
    neighbor(NODE, "password correct-horse");
    await net.apply(routerPeer({ passive: true, password: "correct-horse", routes: [route(VIP)] }));
    await net.installed(VIP, 20);
  });
});

test("connections from both sides end with one session", async () => {
  neighbor(NODE);
  await net.speaker.apply(instanceWith({ listenPort: 179 }, routerPeer({ routes: [route(VIP)] })));
  await net.installed(VIP);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await net.status()).toMatchObject({ state: "Established", timesEstablished: 1 });
});

test("routes inside one AS carry LOCAL_PREF, and well-known communities are obeyed", async () => {
  frr.configure("router bgp 65001", `neighbor ${NODE} remote-as 65001`, `neighbor ${NODE} timers connect 1`);
  const routes = [route(VIP, { asPath: [], localPreference: 250, communities: ["no-advertise"], med: 5 })];
  await net.speaker.apply(instanceWith({ localAsn: 65001 }, routerPeer({ routes })));
  await net.installed(VIP);
  const shown = frr.vtysh(`show bgp ipv4 unicast ${VIP}`);
  expect(shown).toContain("localpref 250");
  expect(shown).toContain("metric 5");
  expect(shown).toContain("not advertised to any peer");
  frr.configure("router bgp 65001", `no neighbor ${NODE} remote-as 65001`);
});

test("a crash of ours makes FRR's kernel see not one event (graceful restart)", async () => {
  neighbor(NODE);
  const spec = instanceWith({}, routerPeer({ gracefulRestartSeconds: 60, routes: [route(VIP)] }));
  await net.speaker.apply(spec);
  await net.installed(VIP);
  // FRR offers its helper only when both sides have exchanged their End-of-RIB.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const events = await net.routeEvents(async () => {
    await net.crash(spec);
    await net.established();
    await new Promise((resolve) => setTimeout(resolve, 2500));
  });
  expect(events).toEqual([]);
  expect(net.kernelRoute(VIP)).not.toBe("");
});

describe("BFD at 50 ms x 3", () => {
  test("moves traffic to another path within 250 ms, while our main thread stands still", async () => {
    neighbor(NODE, "bfd", "bfd profile fast");
    await net.apply(routerPeer({ routes: [route(VIP)], bfd: BFD }));
    await waitFor("BFD to be up", async () => (await net.status()).bfd === "Up", { timeoutSeconds: 15 });
    const { before, longestGapMilliseconds, after } = await failOverWhileBlocked(net);
    expect(longestGapMilliseconds).toBeLessThan(await net.slackFor(250));
    expect(longestGapMilliseconds, "the first path was in use and lost").toBeGreaterThan(20);
    expect(Math.min(before, after), "traffic on either path").toBeGreaterThan(50);
  });

  test("stays up while our main thread is blocked, and takes the route away within 250 ms when the path is lost", async () => {
    neighbor(NODE, "bfd", "bfd profile fast");
    await net.apply(routerPeer({ routes: [route(VIP)], bfd: BFD }));
    await waitFor("BFD to be up", async () => (await net.status()).bfd === "Up", { timeoutSeconds: 15 });
    await net.installed(VIP);
    for (let i = 0; i < 8; i++) await net.speaker.block(250);
    expect(await net.status()).toMatchObject({ bfd: "Up", timesEstablished: 1 });
    net.loseEverything(true);
    const lostAt = performance.now();
    try {
      await net.gone(VIP, 2);
      const milliseconds = performance.now() - lostAt;
      expect(milliseconds).toBeLessThan(await net.slackFor(250));
    } finally {
      net.loseEverything(false);
    }
    await net.established();
  });
});

test("the last messages of a session are a capture that tcpdump reads", async () => {
  neighbor(NODE);
  await net.apply(routerPeer({ routes: [route(VIP)] }));
  await net.installed(VIP);
  const pcap = await net.speaker.capture("router");
  const { stdout } = net.node.try(["sh", "-c", `base64 -d | tcpdump -nvr - 2>/dev/null`], {
    input: pcap.toString("base64"),
  });
  expect(stdout).toContain("Open Message");
  expect(stdout).toContain(VIP);
});

test("without addresses: both sides find each other on the link (unnumbered)", async () => {
  net.lab.connect({ namespace: net.router, device: "u0" }, { namespace: net.node, device: "u0" });
  frr.configure("interface u0", "ipv6 nd ra-interval 1", "no ipv6 nd suppress-ra");
  frr.configure("router bgp 65001", "neighbor u0 interface remote-as external", "neighbor u0 timers connect 1");
  frr.configure("router bgp 65001", "neighbor u0 bfd", "neighbor u0 bfd profile fast");
  inFamily("ipv6", "neighbor u0 activate");
  const discovery = { kind: "unnumbered", interfaceName: "u0" } as const;
  const routes = [route(VIP, { nextHop: "self" }), route(VIP6, { nextHop: "self" })];
  try {
    await net.apply(
      routerPeer({
        address: "",
        discovery,
        families: BOTH_FAMILIES,
        extendedNextHop: true,
        asn: 65001,
        routes,
        bfd: BFD,
      }),
    );
    const status = await net.established(40);
    expect(status.address).toMatch(/^fe80:/);
    expect(await net.installed(VIP, 15)).toContain("via inet6 fe80:");
    await net.installed(VIP6);
    await waitFor("BFD between link-local addresses", async () => (await net.status()).bfd === "Up", {
      timeoutSeconds: 15,
      seen: () => frr.vtysh("show bfd peers brief"),
    });
    net.loseEverything(true);
    const lostAt = performance.now();
    await net.gone(VIP, 2);
    const milliseconds = performance.now() - lostAt;
    expect(milliseconds).toBeLessThan(await net.slackFor(250));
  } finally {
    net.router.try(["nft", "delete table inet lost"]);
    net.router.try(["ip", "link", "del", "u0"]);
    frr.configure("router bgp 65001", "no neighbor u0 interface remote-as external");
  }
});
