/**
 * `sluice run --speaker-socket` with `sluice speaker` beside it, and what moves routers away from a node: either of the
 * two processes may die or be replaced without the router losing a route; a drain marks, withdraws, and takes it back.
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Configuration } from "../lab/configuration.ts";
import { curl } from "../lab/curl.ts";
import { Gateway, type GatewayOptions, SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import type { LabProcess } from "../lab/process.ts";
import { isVipRouted, NODE_ADDRESS, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

/** NET_BIND_SERVICE, NET_ADMIN, NET_RAW (capability.h). */
const SPEAKING = (1 << 10) | (1 << 12) | (1 << 13);
const URL = `http://${VIP}/`;

let lab: Lab;
let network: SeedA;
let options: GatewayOptions;
let speakerSocket: string;
let speaker: LabProcess;
let gateway: Gateway;

const routed = () => isVipRouted(network);
const session = () => gateway.status().bgp[0];

function startSpeaker(): LabProcess {
  return network.node.start("speaker", [SLUICE, "speaker", "--socket", speakerSocket]);
}

/** What the router's kernel learns of routes while `during` runs. */
async function routeEvents(during: () => Promise<void>): Promise<string[]> {
  const monitor = network.router.start("monitor", ["ip", "monitor", "route"]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await during();
  await new Promise((resolve) => setTimeout(resolve, 300));
  await monitor.stop();
  return monitor.log().split("\n").filter(Boolean);
}

beforeAll(async () => {
  lab = new Lab("sle");
  network = await seedA(lab);
  network.frr.configure("router bgp 65001", "bgp graceful-restart", `neighbor ${NODE_ADDRESS} timers connect 1`);
  const configuration = new Configuration(lab, "seed-a");
  configuration.edit(
    "peerASN: 65001",
    "peerASN: 65001\n          gracefulRestart: {enabled: true, restartTimeSeconds: 60}",
  );
  speakerSocket = `${lab.folder}/speaker.sock`;
  options = {
    configuration: configuration.folder,
    node: "node1",
    uplink: "net0",
    arguments: ["--speaker-socket", speakerSocket],
  };
});

afterAll(() => lab?.close());

describe("a speaker in a process of its own", () => {
  test("may start after the gateway, and announces what it plans", async () => {
    const starting = Gateway.start(lab, network.node, options);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    speaker = startSpeaker();
    gateway = await starting;
    await waitFor("the route", routed, { timeoutSeconds: 30, seen: () => speaker.log() });
    expect(curl(network.client, URL).error).toBe("");
    // FRR keeps routes only of a peer whose End-of-RIB it has seen.
    await new Promise((resolve) => setTimeout(resolve, 2500));
  });

  test("has no capabilities in any thread but those that sessions need", () => {
    const folder = `/proc/${speaker.pid}/task`;
    const masks = readdirSync(folder).map((thread) => {
      const status = readFileSync(`${folder}/${thread}/status`, "utf8");
      return Number(`0x${/^CapPrm:\s+(\w+)$/m.exec(status)![1]}`);
    });
    expect([...new Set(masks)]).toEqual([SPEAKING]);
  });

  test("keeps session and route when the gateway is killed and started again", async () => {
    const before = session()!.establishedAtMilliseconds;
    const events = await routeEvents(async () => {
      await gateway.stop("SIGKILL");
      expect(network.frr.sessionState(NODE_ADDRESS)).toBe("Established");
      gateway = await Gateway.start(lab, network.node, options);
      await waitFor("the VIP to answer again", () => curl(network.client, URL).error === "");
    });
    expect(events).toEqual([]);
    expect(session()).toMatchObject({ state: "Established", timesEstablished: 1, establishedAtMilliseconds: before });
  });

  test("that is killed and started again is told everything anew, and the router loses nothing", async () => {
    const events = await routeEvents(async () => {
      await speaker.stop("SIGKILL");
      await waitFor("the status to say it", () => session()?.lastError?.includes("not reachable"));
      speaker = startSpeaker();
      await waitFor(
        "the session again",
        () => session()?.state === "Established" && session()?.routesAdvertised === 1,
        {
          timeoutSeconds: 20,
        },
      );
      await new Promise((resolve) => setTimeout(resolve, 2500));
    });
    expect(events).toEqual([]);
    expect(curl(network.client, URL).error).toBe("");
  });
});

describe("a drain", () => {
  const paths = () => network.frr.vtysh(`show bgp ipv4 unicast ${VIP}/32`);

  test("marks the routes, then withdraws them, and says when nobody has one any more", async () => {
    const draining = network.node.start("drain", [SLUICE, "drain", "--grace", "3", "--socket", gateway.socket]);
    await waitFor("the mark", () => /gracefulShutdown|graceful-shutdown/.test(paths()), { seen: paths });
    expect(routed()).toBe(true);
    expect(curl(network.client, URL).error).toBe("");
    await waitFor("the end of the drain", () => draining.exit() !== null, { seen: () => draining.log() });
    expect(draining.exit()).toEqual({ code: 0, signal: null });
    expect(draining.log()).toMatch(/^marked, withdrawn in 3 s: 1 route over 1 session, \d+ flows? left\n/);
    expect(draining.log()).toMatch(/withdrawn: 0 routes over 1 session, \d+ flows? left\n$/);
    await waitFor("the route to go", () => !routed());
    expect(session()).toMatchObject({ state: "Established", routesAdvertised: 0 });
    expect(gateway.ask("status")).toContain("drained: the routes are withdrawn");
  });

  test("is taken back by undrain, without a new session", async () => {
    const { timesEstablished } = session()!;
    expect(gateway.ask("undrain")).toContain("announced again");
    await waitFor("the route", routed);
    expect(paths()).not.toMatch(/graceful/i);
    expect(session()!.timesEstablished).toBe(timesEstablished);
  });
});

test("a gateway with a speaker on its thread and a graceful goodbye leaves its routes to graceful restart", async () => {
  await gateway.stop();
  await speaker.stop();
  await waitFor("the router to keep the route as stale", routed);
  const own = { ...options, arguments: ["--goodbye", "graceful"] };
  gateway = await Gateway.start(lab, network.node, own);
  await waitFor("the session", () => session()?.state === "Established" && routed(), { timeoutSeconds: 30 });
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const events = await routeEvents(async () => {
    expect(await gateway.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    gateway = await Gateway.start(lab, network.node, own);
    await waitFor("the session", () => session()?.state === "Established", { timeoutSeconds: 20 });
    await new Promise((resolve) => setTimeout(resolve, 2500));
  });
  expect(events).toEqual([]);
  await gateway.stop();
});
