/** Our speaker against a real FRR router: what the router sees, installs and says. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { PeerStatus } from "../../src/bgp/speaker-spec.ts";
import { NODE_ADDRESS, peer, ROUTER_ADDRESS, route, spec } from "../fixtures/bgp-peers.ts";
import { waitFor } from "../lab/wait-for.ts";
import { RouterAndNode } from "./router-and-node.ts";

const VIP = "192.168.10.100/32";
const SECOND = "192.168.10.101/32";
const WITH_VIP = spec(peer({ routes: [route(VIP)] }));

let network: RouterAndNode;

const status = async (): Promise<PeerStatus> => (await network.speaker.status())[0]!;

/** Both sides agree that the session is up. */
async function established(timeoutSeconds = 20): Promise<void> {
  const both = async () => (await status()).state === "Established" && network.neighbor().bgpState === "Established";
  await waitFor("both sides to be Established", both, { timeoutSeconds, seen: () => network.speaker.events.slice(-4) });
}

async function installed(prefix: string): Promise<void> {
  await waitFor(`${prefix} in the router's kernel`, () => network.kernelRoute(prefix) !== "");
}

async function gone(prefix: string, timeoutSeconds = 10): Promise<void> {
  await waitFor(`${prefix} to leave the router's kernel`, () => network.kernelRoute(prefix) === "", { timeoutSeconds });
}

/** Configuration of the router's neighbour, which is us. */
function configure(...lines: string[]): void {
  network.frr.configure("router bgp 65001", ...lines);
}

beforeAll(async () => {
  network = await RouterAndNode.open();
});

/** Each test begins without a session and without what the last one left in the router's kernel. */
afterEach(async () => {
  await network.speaker.apply(spec());
  await gone(VIP);
});

afterAll(() => network?.close());

test("establishes with a router whose address is not on our subnet, and the router installs the route", async () => {
  await network.speaker.apply(WITH_VIP);
  await established();
  await installed(VIP);
  expect(network.frr.paths(VIP)).toEqual([{ nextHop: NODE_ADDRESS, asPath: "65000" }]);
  expect(network.kernelRoute(VIP)).toContain(`via ${NODE_ADDRESS}`);
  expect(await status()).toMatchObject({ routesAdvertised: 1, holdTimeSeconds: 9 });
  expect(await network.speaker.advertised("router")).toEqual([route(VIP)]);
});

test("a changed set of routes reaches the router as UPDATEs, without a reset", async () => {
  await network.speaker.apply(WITH_VIP);
  await established();
  const before = network.neighbor().connectionsEstablished;
  const second = route(SECOND, { communities: ["65000:100"], largeCommunities: ["65000:1:2"] });
  await network.speaker.apply(spec(peer({ routes: [route(VIP), second], keepaliveTimeSeconds: 2 })));
  await installed(SECOND);
  const shown = network.frr.vtysh(`show bgp ipv4 unicast ${SECOND}`);
  expect(shown).toContain("Community: 65000:100");
  expect(shown).toContain("Large Community: 65000:1:2");
  await network.speaker.apply(spec(peer({ routes: [second] })));
  await gone(VIP);
  expect(network.kernelRoute(SECOND)).not.toBe("");
  expect(network.neighbor()).toMatchObject({ bgpState: "Established", connectionsEstablished: before });
});

test("the same spec again sends nothing", async () => {
  await network.speaker.apply(WITH_VIP);
  await established();
  const { messagesSent } = await status();
  await network.speaker.apply(WITH_VIP);
  expect((await status()).messagesSent).toBe(messagesSent);
});

test("a route refresh of the router is answered with every route", async () => {
  await network.speaker.apply(WITH_VIP);
  await established();
  const { messagesSent } = await status();
  network.frr.vtysh(`clear bgp ${NODE_ADDRESS} in`);
  await waitFor("an answer to the refresh", async () => (await status()).messagesSent > messagesSent, {
    timeoutSeconds: 2,
  });
  expect(network.kernelRoute(VIP)).not.toBe("");
});

test("a removed peer is told Cease/Administrative Shutdown, with the reason, and the route goes at once", async () => {
  await network.speaker.apply(WITH_VIP);
  await established();
  await installed(VIP);
  await network.speaker.apply(spec());
  await gone(VIP);
  expect(network.neighbor().lastNotificationReason).toBe("Cease/Administrative Shutdown");
  expect(
    network.neighbor().lastShutdownDescription ?? network.frr.vtysh(`show bgp neighbors ${NODE_ADDRESS}`),
  ).toContain("removed from the configuration");
  expect(await network.speaker.status()).toEqual([]);
});

test("another local router ID resets the session and it comes back", async () => {
  await network.speaker.apply(WITH_VIP);
  await established();
  const before = network.neighbor().connectionsEstablished;
  await network.speaker.apply({ instances: [{ ...WITH_VIP.instances[0]!, routerId: "10.1.1.99" }] });
  await waitFor("another session", () => network.neighbor().connectionsEstablished > before);
  await established();
  const ended = network.speaker.events.filter((event) => event.from === "Established").at(-1);
  expect(ended?.words).toBe("router ID changed in the configuration");
});

test("a shutdown of the router is shown with its operator's words, and the session comes back after it", async () => {
  await network.speaker.apply(WITH_VIP);
  await established();
  configure(`neighbor ${NODE_ADDRESS} shutdown message changing a line card`);
  await waitFor("the session to end", async () => (await status()).state !== "Established");
  const ended = network.speaker.events.filter((event) => event.from === "Established").at(-1);
  expect(ended?.words).toBe('the peer closed the session: Cease/Administrative Shutdown: "changing a line card"');
  configure(`no neighbor ${NODE_ADDRESS} shutdown`);
  await established();
  await installed(VIP);
});

test("a router that is killed and started again gets the session and the route again", async () => {
  await network.speaker.apply(WITH_VIP);
  await established();
  await network.frr.stop("SIGKILL");
  await waitFor("the session to end", async () => (await status()).state !== "Established");
  await network.frr.start();
  await established();
  await installed(VIP);
  expect((await status()).timesEstablished).toBe(2);
});

test("silence ends the session on both sides when the hold time is over", async () => {
  await network.speaker.apply(spec(peer({ routes: [route(VIP)], holdTimeSeconds: 3, keepaliveTimeSeconds: 1 })));
  await established();
  await installed(VIP);
  network.loseEverything(true);
  try {
    await waitFor("our side to give up", async () => (await status()).state !== "Established", { timeoutSeconds: 8 });
    const ended = network.speaker.events.filter((event) => event.from === "Established").at(-1);
    expect(ended?.words).toContain("nothing was heard from the peer for 3 seconds");
    await gone(VIP, 8);
  } finally {
    network.loseEverything(false);
  }
  await established();
});

test("our silence is noticed by the router", async () => {
  await network.speaker.apply(spec(peer({ routes: [route(VIP)], holdTimeSeconds: 3, keepaliveTimeSeconds: 1 })));
  await established();
  await installed(VIP);
  network.speaker.signal("SIGSTOP");
  try {
    await gone(VIP, 8);
    expect(network.frr.lastNotification(NODE_ADDRESS)).toBe("Hold Timer Expired");
  } finally {
    network.speaker.signal("SIGCONT");
  }
  await established();
});

test("a router of another AS than configured is refused, and the words say which is which", async () => {
  await network.speaker.apply(spec(peer({ asn: 65009, routes: [route(VIP)] })));
  await waitFor("an error", async () => (await status()).lastError?.includes("AS 65001"));
  expect((await status()).lastError).toBe(
    "the peer says it is AS 65001, AS 65009 is configured (sent OPEN Message Error/Bad Peer AS)",
  );
  expect(network.kernelRoute(VIP)).toBe("");
});

test("a router that expects another AS of us says so, and the words repeat it", async () => {
  const other = { ...WITH_VIP.instances[0]!, localAsn: 64999 };
  await network.speaker.apply({ instances: [other] });
  await waitFor("an error", async () => (await status()).lastError?.includes("Bad Peer AS"));
  expect((await status()).lastError).toContain("the peer closed the session: OPEN Message Error/Bad Peer AS");
});

test("routes of the router are counted and shown, and the node's kernel does not get them", async () => {
  configure("address-family ipv4 unicast", "network 198.51.100.0/24");
  await network.speaker.apply(WITH_VIP);
  await established();
  const ofRouter = async () =>
    (await network.speaker.received("router")).filter((one) => one.prefix === "198.51.100.0/24");
  await waitFor("the router's route", async () => (await ofRouter()).length === 1);
  expect(await ofRouter()).toMatchObject([
    { prefix: "198.51.100.0/24", nextHop: ROUTER_ADDRESS, asPath: [{ kind: "sequence", asns: [65001] }] },
  ]);
  // FRR also sends back the route that it has from us.
  expect((await status()).routesReceived).toBe(2);
  expect(network.node.run(["ip", "route", "show", "198.51.100.0/24"])).toBe("");
  configure("address-family ipv4 unicast", "no network 198.51.100.0/24");
  await waitFor("the withdrawal", async () => (await ofRouter()).length === 0);
});

test("a password that both sides have is used; with the wrong one there is no session", async () => {
  configure(`neighbor ${NODE_ADDRESS} password correct-horse`);
  try {
    await network.speaker.apply(spec(peer({ routes: [route(VIP)], password: "correct-horse" })));
    await established();
    await installed(VIP);
    await network.speaker.apply(spec(peer({ routes: [route(VIP)], password: "battery-staple" })));
    await gone(VIP);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect((await status()).state).not.toBe("Established");
  } finally {
    configure(`no neighbor ${NODE_ADDRESS} password`);
  }
});

test("ten thousand routes arrive in one go and leave in one go", async () => {
  const many = Array.from({ length: 10_000 }, (_, i) => route(`20.0.${i >>> 8}.${i & 255}/32`));
  await network.speaker.apply(spec(peer({ routes: many })));
  await established();
  type Summary = { ipv4Unicast: { peers: Record<string, { pfxRcd: number }> } };
  const received = () =>
    network.frr.vtyshJson<Summary>("show bgp summary json").ipv4Unicast.peers[NODE_ADDRESS]!.pfxRcd;
  await waitFor("all routes", () => received() === 10_000);
  // OPEN, KEEPALIVEs, End-of-RIB, and 13 UPDATEs of about 800 prefixes.
  expect((await status()).messagesSent).toBeLessThan(30);
  await network.speaker.apply(spec(peer({ routes: [] })));
  await waitFor("no route", () => received() === 0);
  expect(network.neighbor().bgpState).toBe("Established");
});

test("a stop without Cease closes the connection without a word", async () => {
  await network.speaker.apply(WITH_VIP);
  await established();
  await installed(VIP);
  await network.speaker.stop(false);
  await gone(VIP);
  expect(network.neighbor().lastResetDueTo).toBe("Peer closed the session");
});
