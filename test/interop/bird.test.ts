/** Our speaker against a real BIRD router: what BIRD sees, installs and says. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { route } from "../fixtures/bgp-peers.ts";
import { waitFor } from "../lab/wait-for.ts";
import { Bird } from "./bird.ts";
import { BOTH_FAMILIES, instanceWith, NODE, NODE6, PeerLab, ROUTER6, routerPeer, VIP, VIP6 } from "./peer-lab.ts";
import { failOverWhileBlocked } from "./two-paths.ts";

let net: PeerLab;
let bird: Bird;

const TIMERS =
  "hold time 9; keepalive time 3; connect retry time 1; connect delay time 0; error wait time 1,2; startup hold time 20;";

/** The BGP protocol `node` of BIRD's configuration. */
function toNode(
  options = "",
  channels = "ipv4 { import all; export all; };",
  ends = "local 10.1.1.1 as 65001; neighbor 10.1.1.2 as 65000;",
) {
  return `protocol bgp node { ${ends} ${TIMERS} ${options} ${channels} }\n`;
}

beforeAll(async () => {
  net = new PeerLab();
  bird = new Bird(net.lab, net.router);
  await bird.configure("");
});

afterEach(async () => {
  await net.apply();
  await bird.configure("");
  await net.gone(VIP);
});

afterAll(() => net?.close());

describe("routes", () => {
  test("are installed, changed and withdrawn without a reset, and attributes of all kinds arrive", async () => {
    await bird.configure(toNode());
    const marked = route(VIP, {
      nextHop: "self",
      asPath: [65000, 65000],
      communities: ["65000:100", "no-export"],
      largeCommunities: ["65000:1:2"],
      med: 77,
    });
    await net.apply(routerPeer({ routes: [marked] }));
    expect(await net.installed(VIP)).toContain(`via ${NODE}`);
    const shown = bird.route(VIP);
    expect(shown).toContain("BGP.as_path: 65000 65000");
    expect(shown).toContain("(65000,100)");
    expect(shown).toContain("(65535,65281)");
    expect(shown).toContain("(65000, 1, 2)");
    expect(shown).toContain("BGP.med: 77");
    await net.apply(routerPeer({ routes: [] }));
    await net.gone(VIP);
    expect((await net.status()).timesEstablished).toBe(1);
  });

  test("are sent again when BIRD asks, framed by begin and end of an enhanced refresh", async () => {
    await bird.configure(toNode());
    await net.apply(routerPeer({ routes: [route(VIP)] }));
    await net.installed(VIP);
    const { messagesSent } = await net.status();
    bird.ask("reload in node");
    await waitFor("the routes again", async () => (await net.status()).messagesSent >= messagesSent + 3);
    expect(net.kernelRoute(VIP)).not.toBe("");
  });

  test("of BIRD come again when we ask, and none is lost or stale", async () => {
    const statics = "protocol static s4 { ipv4; route 198.51.100.0/24 blackhole; route 198.51.101.0/24 blackhole; }\n";
    await bird.configure(statics + toNode());
    await net.apply(routerPeer());
    const count = async () => (await net.speaker.received("router")).length;
    await waitFor("BIRD's routes", async () => (await count()) === 2);
    const { messagesReceived } = await net.status();
    await net.speaker.refresh("router");
    await waitFor("the answer", async () => (await net.status()).messagesReceived > messagesReceived + 1);
    expect(await count()).toBe(2);
  });

  test("more than are allowed end the session, and the words say how many", async () => {
    const statics = `protocol static s4 { ipv4; ${["1", "2", "3"].map((i) => `route 198.51.${i}.0/24 blackhole;`).join(" ")} }\n`;
    await bird.configure(statics + toNode());
    await net.apply(routerPeer({ maxPrefixes: 2 }));
    await waitFor("the limit", async () => (await net.status()).lastError?.includes("more than the 2 routes"));
    expect((await net.status()).lastError).toContain("Cease/Maximum Number of Prefixes Reached");
  });
});

describe("both families", () => {
  test("go over one IPv4 session, each with its next hop", async () => {
    await bird.configure(toNode("", "ipv4 { import all; export all; }; ipv6 { import all; export all; };"));
    const routes = [route(VIP), route(VIP6, { nextHop: NODE6 })];
    await net.apply(routerPeer({ families: BOTH_FAMILIES, routes }));
    expect(await net.installed(VIP)).toContain(NODE);
    expect(await net.installed(VIP6)).toContain(NODE6);
    await net.apply(routerPeer({ families: BOTH_FAMILIES, routes: [routes[0]!] }));
    await net.gone(VIP6);
    expect(net.kernelRoute(VIP)).not.toBe("");
  });

  test("go over one IPv6 session, IPv4 with an IPv6 next hop (RFC 8950)", async () => {
    const channels = "ipv4 { import all; export all; extended next hop on; }; ipv6 { import all; export all; };";
    await bird.configure(toNode("", channels, "local fd98::1 as 65001; neighbor fd98::2 as 65000;"));
    const routes = [route(VIP, { nextHop: "self" }), route(VIP6, { nextHop: "self" })];
    await net.apply(routerPeer({ address: ROUTER6, families: BOTH_FAMILIES, extendedNextHop: true, routes }));
    expect(await net.installed(VIP)).toContain(`via inet6 ${NODE6}`);
    expect(await net.installed(VIP6)).toContain(`via ${NODE6}`);
    expect((await net.speaker.advertised("router")).map((one) => one.nextHop)).toEqual([NODE6, NODE6]);
  });

  test("without RFC 8950 the IPv4 route stays here, and the explanation says why", async () => {
    const ends = "local fd98::1 as 65001; neighbor fd98::2 as 65000;";
    await bird.configure(toNode("", "ipv4 { import all; export all; }; ipv6 { import all; export all; };", ends));
    const routes = [route(VIP, { nextHop: "self" }), route(VIP6, { nextHop: "self" })];
    await net.apply(routerPeer({ address: ROUTER6, families: BOTH_FAMILIES, extendedNextHop: true, routes }));
    await net.installed(VIP6);
    const [explained] = await net.speaker.explain(VIP);
    expect(explained!.words[0]).toContain("IPv6 next hops (RFC 8950) are not agreed on");
  });
});

describe("protection", () => {
  test("TTL security holds on both sides, and each side refuses what may come from far", async () => {
    await bird.configure(toNode("ttl security on;"));
    await net.apply(routerPeer({ ttlSecurityHops: 1, routes: [route(VIP)] }));
    await net.installed(VIP);
    await net.apply(routerPeer({ routes: [route(VIP)] }));
    await net.gone(VIP);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(bird.ask("show protocols node")).not.toContain("Established");
    await bird.configure(toNode());
    await net.apply(routerPeer({ ttlSecurityHops: 1, routes: [route(VIP)] }));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await net.status()).state).not.toBe("Established");
  });

  test("a password holds on a connection that BIRD opens, and a changed key disturbs only its own session", async () => {
    const second = "protocol bgp second { local fd98::1 as 65001; neighbor fd98::2 as 65000; passive on;";
    const other = `${second} ${TIMERS} ipv6 { import all; export all; }; }\n`;
    const ipv6 = { ...routerPeer({ address: ROUTER6, families: BOTH_FAMILIES.slice(1) }), name: "other" };
    await bird.configure(toNode('password "first";') + other);
    const signed = (password: string) => routerPeer({ passive: true, password, routes: [route(VIP)] });
    await net.apply(signed("first"), ipv6);
    await net.installed(VIP);
    await waitFor("the other session", async () => (await net.speaker.status())[1]!.state === "Established");
    await bird.configure(toNode('password "second";') + other);
    await net.apply(signed("second"), ipv6);
    await waitFor(
      "the signed session again",
      async () => {
        const [status] = await net.speaker.status();
        return status!.state === "Established" && status!.timesEstablished === 2;
      },
      { timeoutSeconds: 20 },
    );
    expect((await net.speaker.status())[1]).toMatchObject({ state: "Established", timesEstablished: 1 });
  });

  test("roles that fit come up, and those that don't are refused in words", async () => {
    await bird.configure(toNode("local role provider; require roles on;"));
    await net.apply(routerPeer({ role: "customer", strictRole: true, routes: [route(VIP)] }));
    await net.installed(VIP);
    await net.apply(routerPeer({ role: "provider" }));
    await waitFor("the refusal", async () => /Role Mismatch/.test((await net.status()).lastError ?? ""));
    expect((await net.status()).hint).toContain("roles must be opposite");
  });

  test("a route that we send down carries ONLY_TO_CUSTOMER", async () => {
    await bird.configure(toNode("local role customer;"));
    await net.apply(routerPeer({ role: "provider", routes: [route(VIP)] }));
    await net.installed(VIP);
    expect(bird.route(VIP)).toContain("BGP.otc: 65000");
  });
});

describe("the end of a session", () => {
  test("by BIRD's operator is shown with the words", async () => {
    await bird.configure(toNode());
    await net.apply(routerPeer({ routes: [route(VIP)] }));
    await net.installed(VIP);
    bird.askWords("disable", "node", '"new line card"');
    expect(await net.ended()).toBe('the peer closed the session: Cease/Administrative Shutdown: "new line card"');
  });

  test("by our shutdown is told with its text, and lasts until it is taken back", async () => {
    await bird.configure(toNode());
    await net.apply(routerPeer({ routes: [route(VIP)] }));
    await net.installed(VIP);
    await net.apply(routerPeer({ routes: [route(VIP)], shutdown: "node drain" }));
    await net.gone(VIP);
    expect(bird.ask("show protocols all node")).toContain("Administrative shutdown");
    expect((await net.status()).lastError).toBe("switched off by the configuration: node drain");
    await net.apply(routerPeer({ routes: [route(VIP)] }));
    await net.installed(VIP);
  });

  test("by silence comes when the hold time is over, on both sides", async () => {
    await bird.configure(toNode());
    await net.apply(routerPeer({ routes: [route(VIP)], holdTimeSeconds: 3, keepaliveTimeSeconds: 1 }));
    await net.installed(VIP);
    bird.signal("SIGSTOP");
    try {
      expect(await net.ended(8)).toContain("nothing was heard from the peer for 3 seconds");
    } finally {
      bird.signal("SIGCONT");
    }
  });

  test("is announced by the graceful shutdown community before it comes", async () => {
    await bird.configure(toNode());
    await net.apply(routerPeer({ routes: [route(VIP)] }));
    await net.installed(VIP);
    await net.apply(routerPeer({ routes: [route(VIP)], gracefulShutdown: true }));
    await waitFor("the mark", () => bird.route(VIP).includes("(65535,0)"));
    expect((await net.status()).timesEstablished).toBe(1);
  });

  test("that a crash makes loses no route: BIRD's kernel sees not one event (graceful restart)", async () => {
    await bird.configure(toNode("graceful restart on;"));
    const spec = instanceWith({}, routerPeer({ gracefulRestartSeconds: 60, routes: [route(VIP)] }));
    await net.speaker.apply(spec);
    await net.installed(VIP);
    const events = await net.routeEvents(async () => {
      await net.crash(spec);
      await net.established();
      await new Promise((resolve) => setTimeout(resolve, 500));
    });
    expect(events).toEqual([]);
    expect(net.kernelRoute(VIP)).not.toBe("");
  });
});

test("connections from both sides end with one session", async () => {
  await bird.configure(toNode("connect delay time 0;"));
  const both = { ...routerPeer({ routes: [route(VIP)] }) };
  await net.speaker.apply(instanceWith({ listenPort: 179 }, both));
  await net.installed(VIP);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await net.status()).toMatchObject({ state: "Established", timesEstablished: 1 });
});

describe("BFD at 50 ms x 3", () => {
  const bfd = { transmitMilliseconds: 50, receiveMilliseconds: 50, multiplier: 3 };
  const withBfd = () =>
    bird.configure(
      `protocol bfd { interface "to-node" { interval 50 ms; multiplier 3; idle tx interval 300 ms; }; }\n${toNode("bfd on;")}`,
    );

  test("stays up while our main thread is blocked for 250 ms again and again", async () => {
    await withBfd();
    await net.apply(routerPeer({ routes: [route(VIP)], bfd }));
    await waitFor("BFD to be up", async () => (await net.status()).bfd === "Up");
    for (let i = 0; i < 8; i++) await net.speaker.block(250);
    expect(await net.status()).toMatchObject({ bfd: "Up", state: "Established", timesEstablished: 1 });
  });

  test("runs over several hops as well (RFC 5883)", async () => {
    const options = "multihop 2; bfd on; source address 10.1.1.1;";
    await bird.configure(`protocol bfd { multihop { interval 50 ms; multiplier 3; }; }\n${toNode(options)}`);
    // Over several hops BIRD sends with the system's TTL, 64.
    await net.apply(routerPeer({ ebgpMultihopTtl: 2, routes: [route(VIP)], bfd: { ...bfd, minimumTtl: 63 } }));
    await waitFor("BFD to be up", async () => (await net.status()).bfd === "Up");
    await net.installed(VIP);
  });

  test("moves traffic to another path within 250 ms, while our main thread stands still", async () => {
    await withBfd();
    await net.apply(routerPeer({ routes: [route(VIP)], bfd }));
    await waitFor("BFD to be up", async () => (await net.status()).bfd === "Up", { timeoutSeconds: 15 });
    const { before, longestGapMilliseconds, after } = await failOverWhileBlocked(net);
    expect(longestGapMilliseconds).toBeLessThan(await net.slackFor(250));
    expect(longestGapMilliseconds, "the first path was in use and lost").toBeGreaterThan(20);
    expect(Math.min(before, after), "traffic on either path").toBeGreaterThan(50);
  });

  test("takes the route away within 250 ms when the path is lost, on both sides", async () => {
    await withBfd();
    await net.apply(routerPeer({ routes: [route(VIP)], bfd }));
    await waitFor("BFD to be up", async () => (await net.status()).bfd === "Up");
    await net.installed(VIP);
    const events = net.speaker.events.length;
    net.loseEverything(true);
    const lostAt = performance.now();
    try {
      await net.gone(VIP, 2);
      const milliseconds = performance.now() - lostAt;
      expect(milliseconds).toBeLessThan(await net.slackFor(250));
      await waitFor("our side to notice", () => net.speaker.events.length > events, { timeoutSeconds: 5 });
    } finally {
      net.loseEverything(false);
    }
    await net.established();
  });
});
