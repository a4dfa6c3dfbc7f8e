/**
 * Thousands of new connections a second on one VIP, with the client's address and with the gateway's: each SYN is answered
 * at once. Far more connections than there are ports, and backends remember each for a minute: what is used again has to be
 * one that they take. SLUICE_LONG=1 goes on until a minute has gone round, at 10,000 a second where the machine can.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DualStack, dualStack, hostsOnLan, PLACES } from "../lab/dual-stack.ts";
import { Lab } from "../lab/lab.ts";
import { synRetransmissions } from "../lab/tcp-counters.ts";
import { startTerseNginx } from "../lab/terse-nginx.ts";
import { lost, Wrk } from "../lab/wrk.ts";

const IS_LONG = process.env["SLUICE_LONG"] === "1";
const LOAD_SECONDS = IS_LONG ? 70 : 6;
/** Ten thousand a second, where an answer takes a millisecond. */
const PRESSURE = { connections: 50, pauseMilliseconds: 4 };
/** What a loaded machine manages at least. */
const ENOUGH = LOAD_SECONDS * 1000;
const PORTS = 12_500;
const SOMAXCONN = 4096;
/** Of `web`, with nothing of the lab's own behind it. */
const PORT = 81;

let lab: Lab;
let network: DualStack;

describe.each(["remote", "node"])("sluice-source-nat: %s", (sourceNat) => {
  beforeAll(async () => {
    lab = new Lab("slk");
    network = await dualStack(lab, hostsOnLan, { switches: { "sluice-source-nat": sourceNat } });
    for (const { namespace } of network.web) {
      namespace.sysctl("net.core.somaxconn", SOMAXCONN);
      await startTerseNginx(lab, namespace, PORT);
    }
    network.client.sysctl("net.ipv4.tcp_tw_reuse", 1);
    // Ours are those that Linux does not give to the node's own connections: so few that they come round every few seconds.
    network.node.sysctl("net.ipv4.ip_local_port_range", `1024 ${65_535 - PORTS}`);
  }, 60_000);

  afterAll(() => lab?.close());

  test.each(PLACES)(
    "as many connections as can be, and no SYN sent twice (IPv$family)",
    { timeout: (LOAD_SECONDS + 30) * 1000 },
    async ({ family, web }) => {
      const url = `http://${family === 4 ? web : `[${web}]`}:${PORT}/`;
      const before = synRetransmissions(network.client);
      const load = Wrk.start(network.client, url, "new", PRESSURE);
      await sleep(LOAD_SECONDS * 1000);
      const result = await load.stop();
      expect(lost(result)).toBe(0);
      expect(result.answered).toBeGreaterThan(ENOUGH);
      expect(synRetransmissions(network.client) - before).toBe(0);
      const { reasons, flows } = network.gateway.status().datapath;
      expect(reasons).not.toHaveProperty("SourcePortsExhausted");
      // A port serves one connection to each backend; what it served before has ended.
      if (sourceNat === "node") expect(flows.live).toBeLessThanOrEqual(PLACES.length * network.web.length * PORTS);
    },
  );
});
