/**
 * New connections when the process can't open them: killed, stopped, or told not to. Routers keep the route, as they would
 * with graceful restart, and the kernel opens the flows by the tables that the process has left it.
 */
import { afterEach, describe, expect, test } from "vitest";
import { curl } from "../lab/curl.ts";
import { Gateway, SLUICE } from "../lab/gateway.ts";
import { behindSecondArm, behindStack, type Inside } from "../lab/insides.ts";
import { Lab } from "../lab/lab.ts";
import { isVipRouted, NODE_ADDRESS, type Outside, VIP } from "../lab/seed-a.ts";
import { synFlood } from "../lab/syn-flood.ts";
import { waitFor } from "../lab/wait-for.ts";

/** The ring is full long before a worker that takes nothing is said to stand still. */
const FLOOD_FRAMES_PER_SECOND = 50_000;

let lab: Lab | null = null;
afterEach(() => lab?.close());

async function served(
  build: (lab: Lab) => Promise<Inside>,
  ...words: readonly string[]
): Promise<Inside & { readonly gateway: Gateway }> {
  lab = new Lab("sle");
  const { network, options: plain } = await build(lab);
  const options = { ...plain, arguments: words };
  const gateway = await Gateway.start(lab, network.node, options);
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
  network.router.ip(`route add ${VIP}/32 via ${NODE_ADDRESS} metric 5000`);
  expect(curl(network.client, `http://${VIP}/`).error).toBe("");
  return { network, options, gateway };
}

/** The errors of so many connections, one after another. */
function errors(network: Outside, connections: number): string[] {
  const found = Array.from({ length: connections }, () => curl(network.client, `http://${VIP}/`).error);
  return found.filter((error) => error !== "");
}

describe.each([
  ["the node's own stack", behindStack],
  ["a second interface", behindSecondArm],
])("with the backends behind %s", (_name, build) => {
  test("a killed process leaves new connections to the kernel, and the next one takes them over", async () => {
    const { network, options, gateway } = await served(build);
    expect(gateway.status().datapath.opening).toMatchObject({ by: "workers", why: "the workers keep up" });
    await gateway.stop("SIGKILL");
    expect(errors(network, 10)).toEqual([]);
    const next = await Gateway.start(lab!, network.node, options);
    expect(next.process.log()).not.toContain("can't be taken over");
    expect(next.status().datapath.xdp.open).toBeGreaterThanOrEqual(10);
    expect(errors(network, 5)).toEqual([]);
    await next.stop();
  });

  test("with `--datapath kernel` workers open nothing that is plain", async () => {
    const { network, gateway } = await served(build, "--datapath", "kernel");
    const before = gateway.status().datapath.xdp.open;
    expect(errors(network, 10)).toEqual([]);
    const { opening, xdp } = gateway.status().datapath;
    expect(opening).toMatchObject({ by: "kernel", why: "as configured" });
    expect(xdp.open - before).toBe(10);
    await gateway.stop();
  });

  test("with `--datapath hybrid` a killed process leaves no new connections", async () => {
    const { network, gateway } = await served(build, "--datapath", "hybrid");
    await gateway.stop("SIGKILL");
    expect(curl(network.client, `http://${VIP}/`).error).not.toBe("");
    network.node.run([SLUICE, "cleanup"]);
  });
});

test("a process that stands still loses its new connections to the kernel, and gets them back", async () => {
  const { network, gateway } = await served(behindSecondArm);
  gateway.process.signal("SIGSTOP");
  // The first SYN waits in the worker's ring; when it is repeated, a second later, the worker is known to stand still.
  expect(errors(network, 3)).toEqual([]);
  gateway.process.signal("SIGCONT");
  await waitFor("the change in the log", () => gateway.process.log().includes("new flows are opened by the kernel"));
  expect(gateway.status().datapath.opening.takeovers.stalled).toBe(1);
  await waitFor("the workers to open flows again", () => gateway.status().datapath.opening.by === "workers");
  expect(errors(network, 3)).toEqual([]);
  await gateway.stop();
});

test("a worker whose ring is full loses new connections to the kernel, and gets them back when it keeps up", async () => {
  const { network, gateway } = await served(behindSecondArm);
  const [{ address }] = JSON.parse(network.router.run(["ip", "-j", "link", "show", "dev", "to-client"]));
  const opened = () => gateway.status().datapath.flows.opened;
  const before = opened();
  const flood = network.client.start("flood", synFlood("eth0", address, VIP, 80, FLOOD_FRAMES_PER_SECOND));
  await waitFor("the flood to arrive", () => opened() > before + 2000, { seen: () => flood.log() });
  // Many a worker can open them all, but not one that may not run.
  gateway.process.signal("SIGSTOP");
  expect(errors(network, 3)).toEqual([]);
  gateway.process.signal("SIGCONT");
  await waitFor("the change in the log", () => gateway.process.log().includes("its ring is nearly full"));
  expect(gateway.status().datapath.opening).toMatchObject({ by: "kernel", takeovers: { behind: 1, stalled: 0 } });
  await flood.stop();
  await waitFor("the workers to open flows again", () => gateway.status().datapath.opening.by === "workers");
  expect(errors(network, 3)).toEqual([]);
  await gateway.stop();
});
