/**
 * The build before this one is replaced by this one under load, node after node as the DaemonSet's update does it, and
 * then back. Requests go to pods of both nodes, whichever node the router chooses.
 */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import { SETTINGS_LAYOUT_NOW } from "../../src/xdp/door-maps.ts";
import { ciliumConfig } from "../lab/configuration.ts";
import { Frr } from "../lab/frr.ts";
import { type Gateway, SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { buildCommit, previousCommit } from "../lab/previous-build.ts";
import { startGateway, TWO_NODES_PLACES, type TwoNodes, twoNodes } from "../lab/two-nodes.ts";
import { waitFor } from "../lab/wait-for.ts";
import { type LoadResult, lost, Wrk } from "../lab/wrk.ts";

const DAEMONSET = join(import.meta.dirname, "../../deploy/base/daemonset.yaml");
const { both: VIP } = TWO_NODES_PLACES[0]!;
const NODES = [1, 2] as const;
/** What a router and the other node's probes need to go elsewhere; the DaemonSet gives them more. */
const SPREAD_MILLISECONDS = 2_000;

const ROUTER = `
router bgp 65001
 bgp router-id 10.1.1.1
 no bgp ebgp-requires-policy
 neighbor 10.1.1.2 remote-as 65000
 neighbor 10.1.1.3 remote-as 65000
 address-family ipv4 unicast
  maximum-paths 2
`;

const PEERING = `
apiVersion: cilium.io/v2alpha1
kind: CiliumBGPPeeringPolicy
metadata: {name: both}
spec:
  virtualRouters:
    - localASN: 65000
      neighbors: [{peerAddress: "10.1.1.1/32", peerASN: 65001, connectRetryTimeSeconds: 1}]
      serviceSelector: {matchExpressions: [{key: never, operator: NotIn, values: [this]}]}
`;

const commit = previousCommit();

let builds: Lab;
let previous: { readonly sluice: string; readonly layout: number };
let lab: Lab | null = null;

afterEach(() => lab?.close());
afterAll(() => builds?.close());

describe.skipIf(commit === null)(
  commit === null ? "skipped: this tree has no history, so there is no build before this one" : "between two builds",
  () => {
    beforeAll(() => {
      builds = new Lab("slv");
      const folder = join(builds.folder, "previous");
      const sluice = buildCommit(commit!, folder);
      const layout = /SETTINGS_LAYOUT_NOW = (\d+)/.exec(readFileSync(join(folder, "src/xdp/door-maps.ts"), "utf8"))!;
      previous = { sluice, layout: Number(layout[1]) };
    }, 500_000);

    test.each([
      { name: "as the DaemonSet runs it", words: ["--keep-flows"] },
      { name: "with every frame through the process", words: ["--datapath", "userspace"] },
    ])("$name, an upgrade and a downgrade lose no request", { timeout: 240_000 }, async ({ words }) => {
      lab = new Lab("slu");
      const run = { arguments: [...words, "--goodbye", "graceful"] };
      const [now, before] = [SLUICE, previous.sluice].map((program) => inContainer(lab!, program)) as [string, string];
      const network = await twoNodes(lab, { ...run, program: before });
      const gateways: [Gateway, Gateway] = [...network.gateways];
      await route(lab, network);
      for (const program of [now, before]) {
        const loads = (["new", "kept"] as const).map((kind) => Wrk.start(network.client, `http://${VIP}/`, kind));
        await sleep(SPREAD_MILLISECONDS);
        for (const node of NODES) {
          const old = gateways[node - 1]!;
          old.ask("drain", "--grace", "1", "--timeout", "60");
          await sleep(SPREAD_MILLISECONDS);
          tellGateways(
            network,
            NODES.filter((one) => one !== node),
          );
          await sleep(SPREAD_MILLISECONDS);
          expect(await old.stop()).toEqual({ code: 0, signal: null });
          gateways[node - 1] = await startGateway(lab, network, node, { ...run, program });
          if (words.includes("--keep-flows")) expectTakeover(gateways[node - 1]!);
          // As the probe finds it ready, before it announces.
          tellGateways(network, NODES);
          await waitFor("the router to use both again", () => ways(network) === 2, { timeoutSeconds: 60 });
        }
        await sleep(SPREAD_MILLISECONDS);
        const [fresh, kept] = await Promise.all(loads.map((load) => load.stop()));
        console.log(JSON.stringify({ to: program === now ? "this build" : commit, fresh, kept }));
        expect(requestsLost(fresh!)).toEqual({ lost: 0, answered: expect.any(Number) });
        expect(requestsLost(kept!)).toEqual({ lost: 0, answered: expect.any(Number) });
        expect(fresh!.answered).toBeGreaterThan(1_000);
        expect(kept!.answered).toBeGreaterThan(1_000);
      }
    });
  },
);

/** The program with no more capabilities than the DaemonSet's container has. */
function inContainer(lab: Lab, program: string): string {
  const { drop, add } = parseDocument(readFileSync(DAEMONSET, "utf8")).toJS().spec.template.spec.containers[0]
    .securityContext.capabilities as { drop: string[]; add: string[] };
  expect(drop).toEqual(["ALL"]);
  const rights = add.map((name) => `+${name.toLowerCase()}`).join();
  const path = join(lab.folder, `in-container-${program === SLUICE ? "now" : "before"}`);
  writeFileSync(path, `#!/bin/sh\nexec setpriv --bounding-set=-all,${rights} --no-new-privs ${program} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

function requestsLost(result: LoadResult): { lost: number; answered: number } {
  return { lost: lost(result), answered: result.answered };
}

/** Flows are taken over where the tables of both builds are alike; where not, it is said in a sentence and they end. */
function expectTakeover(gateway: Gateway): void {
  const log = gateway.process.log();
  if (previous.layout === SETTINGS_LAYOUT_NOW) expect(log).not.toContain("can't be taken over");
  else expect(log).toContain("its tables have another layout");
}

/** The router learns the way to the Services from both nodes. */
async function route(lab: Lab, network: TwoNodes): Promise<void> {
  network.router.sysctl("net.ipv4.fib_multipath_hash_policy", 1);
  network.router.ip("route del 192.168.10.96/28", "route del fd00:10::/112");
  await new Frr(lab, network.router, ROUTER).start();
  network.configuration.write("peering.yaml", PEERING);
  network.configuration.write(
    "cilium-config.yaml",
    ciliumConfig({ "enable-bgp-control-plane": "true", "bpf-lb-mode": "dsr" }),
  );
  tellGateways(network, NODES);
  await waitFor("the router to use both", () => ways(network) === 2, { timeoutSeconds: 60 });
}

function ways({ router }: TwoNodes): number {
  return router.run(["ip", "route", "show", VIP]).match(/via 10\.1\.1\.[23]/g)?.length ?? 0;
}

/** What the controllers say of the gateways' own pods: one whose probe fails is spared by the others. */
function tellGateways({ configuration }: TwoNodes, ready: readonly number[]): void {
  const endpoint = (node: number) =>
    `  - {addresses: ["10.1.1.${node + 1}"], nodeName: node${node}, conditions: {ready: ${ready.includes(node)}}}\n`;
  configuration.write(
    "gateways.yaml",
    `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: sluice-gateways
  namespace: sluice-system
  labels: {kubernetes.io/service-name: sluice-gateways, sluice.dev/gateways: ""}
addressType: IPv4
ports: []
endpoints:
${NODES.map(endpoint).join("")}`,
  );
}
