/**
 * Source ports that come round again while backends still remember the connections before: no client waits for a SYN that
 * a backend in TIME-WAIT did not take. There are so few ports here that each is used several times a minute.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../lab/lab.ts";
import { synRetransmissions } from "../lab/tcp-counters.ts";
import { setSwitches, TWO_NODES_PLACES, type TwoNodes, twoNodes } from "../lab/two-nodes.ts";
import { lost, Wrk } from "../lab/wrk.ts";

/** What is left of the ports by the node's own range for clients. */
const FIRST_PORT = 65_535 - 1199;
/** `web` has two backends, and each port serves one connection to each. */
const PLACES = 2 * 1200;
const LOAD_SECONDS = 10;

let lab: Lab;
let network: TwoNodes;

beforeAll(async () => {
  lab = new Lab("sle");
  network = await twoNodes(lab);
  network.nodes[0].sysctl("net.ipv4.ip_local_port_range", `1024 ${FIRST_PORT - 1}`);
  await setSwitches(network, { "bpf-lb-mode": "snat" });
});

afterAll(() => lab?.close());

test.each(TWO_NODES_PLACES)(
  "more connections than there are ports open without a SYN sent twice (IPv$family)",
  { timeout: 60_000 },
  async ({ family, web }) => {
    const before = synRetransmissions(network.client);
    const load = Wrk.start(network.client, `http://${family === 4 ? web : `[${web}]`}/`, "new");
    await sleep(LOAD_SECONDS * 1000);
    const result = await load.stop();
    expect(result.answered).toBeGreaterThan(PLACES);
    expect(lost(result)).toBe(0);
    expect(synRetransmissions(network.client) - before).toBe(0);
    expect(network.gateways[0].status().datapath.reasons["SourcePortsExhausted"]).toBeUndefined();
  },
);
