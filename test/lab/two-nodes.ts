/**
 * Two nodes that both run the gateway, on one link with the router, pods of both IP families behind each. Addresses of
 * Services are routed to node1; `web` runs on node2, so its requests go from node1 on to node2.
 *
 *    client                   router                     fabric           node1  10.1.1.2  fd00:1::2
 *   +--------------------+   +----------------------+   +---------+      +---------------------------+
 *   | 203.0.113.10       |   | 203.0.113.1          |   |  bridge |   net0          10.2.1.1    lxc5 |--- near
 *   | 2001:db8:113::10   |   | 10.1.1.1  fd00:1::1  |   |   port1-|------+---------------------------+
 *   | eth0 --------------|---|- to-client  fabric0 -|---|-port0   |       node2  10.1.1.3  fd00:1::3
 *   +--------------------+   +----------------------+   |   port2-|------+---------------------------+
 *                                                       +---------+   net0          10.2.2.1    lxc5 |--- far1
 *    near  10.2.1.5 fd00:2:1::5   far1 10.2.2.5 fd00:2:2::5            |                        lxc6 |--- far2
 *    far2  10.2.2.6 fd00:2:2::6   narrow 10.2.2.7 fd00:2:2::7          +----------------------- lxc7 |--- narrow
 *
 * The way to `narrow` takes packets of 1400 bytes, while both its ends believe in 1500. Whatever a node's kernel or the
 * router sends to the fabric has finished checksums, as on a wire.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Configuration, ciliumConfig } from "./configuration.ts";
import { NARROW_MTU } from "./dual-stack.ts";
import { type Backend, forwarder, host, startPod } from "./dual-stack-host.ts";
import { Gateway, type GatewayOptions } from "./gateway.ts";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import { waitFor } from "./wait-for.ts";

/** What one family calls the places of the network. */
export interface TwoNodesPlaces {
  readonly family: 4 | 6;
  readonly client: string;
  readonly router: string;
  readonly nodes: readonly [string, string];
  /** On node2: far1 and far2. TCP 80, and UDP 7, an echo. */
  readonly web: string;
  /** On node2, behind the narrow link. */
  readonly narrow: string;
  /** On node1. */
  readonly near: string;
  /** near on node1, and far1 on node2. */
  readonly both: string;
}

export const TWO_NODES_PLACES: readonly TwoNodesPlaces[] = [
  {
    family: 4,
    client: "203.0.113.10",
    router: "203.0.113.1",
    nodes: ["10.1.1.2", "10.1.1.3"],
    web: "192.168.10.100",
    narrow: "192.168.10.101",
    near: "192.168.10.103",
    both: "192.168.10.104",
  },
  {
    family: 6,
    client: "2001:db8:113::10",
    router: "2001:db8:113::1",
    nodes: ["fd00:1::2", "fd00:1::3"],
    web: "fd00:10::100",
    narrow: "fd00:10::101",
    near: "fd00:10::103",
    both: "fd00:10::104",
  },
];

const SWITCHES = "cilium-config.yaml";
const SECRET = "cluster-secret";
const VIPS = ["192.168.10.96/28", "fd00:10::/112"];

export interface TwoNodes {
  readonly client: Namespace;
  readonly router: Namespace;
  /** `port1` faces node1, `port2` node2. */
  readonly fabric: Namespace;
  readonly nodes: readonly [Namespace, Namespace];
  readonly gateways: readonly [Gateway, Gateway];
  readonly near: Backend;
  readonly far: readonly [Backend, Backend];
  readonly narrow: Backend;
  /** What both gateways read. */
  readonly configuration: Configuration;
}

/** How both gateways run, where not as usual. */
export type TwoNodesRun = Pick<GatewayOptions, "arguments" | "program">;

/** Builds the network, starts both gateways, and resolves when they forward. */
export async function twoNodes(lab: Lab, run: TwoNodesRun = {}): Promise<TwoNodes> {
  const client = host(lab, "client");
  const router = forwarder(lab, "router");
  const fabric = lab.namespace("fabric");
  const nodes = [forwarder(lab, "node1"), forwarder(lab, "node2")] as const;
  lab.connect(
    { namespace: client, device: "eth0", addresses: ["203.0.113.10/24", "2001:db8:113::10/64"] },
    { namespace: router, device: "to-client", addresses: ["203.0.113.1/24", "2001:db8:113::1/64"] },
  );
  client.ip("route add default via 203.0.113.1", "route add default via 2001:db8:113::1");
  fabric.ip("link add bridge type bridge mcast_snooping 0 forward_delay 0 stp_state 0", "link set bridge up");
  const plug = (namespace: Namespace, device: string, number: number) => {
    const addresses = [`10.1.1.${number + 1}/24`, `fd00:1::${number + 1}/64`];
    lab.connect(
      { namespace, device, addresses, offload: { tx: false } },
      { namespace: fabric, device: `port${number}`, offload: { tx: false } },
    );
    fabric.ip(`link set port${number} master bridge`);
  };
  plug(router, "fabric0", 0);
  router.ip("addr add fe80::1/64 dev fabric0");
  for (const [index, node] of nodes.entries()) plug(node, "net0", index + 1);
  nodes.forEach((node, index) => {
    node.ip("route add default via 10.1.1.1", "route add default via fe80::1 dev net0");
    node.ip(`addr add 10.2.${index + 1}.1/32 dev lo`);
    for (const other of [router, ...nodes.filter((one) => one !== node)]) {
      other.ip(`route add 10.2.${index + 1}.0/24 via 10.1.1.${index + 2}`);
      other.ip(`route add fd00:2:${index + 1}::/64 via fd00:1::${index + 2}`);
    }
  });
  const start = (name: string, node: 1 | 2, number: number, route = "") =>
    startPod(lab, nodes[node - 1]!, {
      name,
      device: `lxc${number}`,
      ipv4: `10.2.${node}.${number}`,
      ipv6: `fd00:2:${node}::${number}`,
      gateway4: `10.2.${node}.1`,
      route,
    });
  const [near, far1, far2, narrow] = await Promise.all([
    start("near", 1, 5),
    start("far1", 2, 5),
    start("far2", 2, 6),
    start("narrow", 2, 7, `mtu lock ${NARROW_MTU}`),
  ]);

  const configuration = new Configuration(lab, "two-nodes");
  writeFileSync(join(lab.folder, SECRET), "a secret that both nodes of the test have");
  const begin = (node: 1 | 2) => startGateway(lab, { nodes, configuration }, node, run);
  const gateways = [await begin(1), await begin(2)] as const;
  const network = { client, router, fabric, nodes, gateways, near, far: [far1, far2], narrow, configuration } as const;
  routeVips(network, 1);
  const isServed = (gateway: Gateway) => gateway.status().services.length > 0;
  await waitFor("the Services to be served", () => gateways.every(isServed));
  return network;
}

/** Starts a gateway that is not there, or no longer; resolves when it answers. */
export function startGateway(
  lab: Lab,
  { nodes, configuration }: Pick<TwoNodes, "nodes" | "configuration">,
  node: 1 | 2,
  { arguments: words = [], program }: TwoNodesRun = {},
): Promise<Gateway> {
  return Gateway.start(lab, nodes[node - 1]!, {
    configuration: configuration.folder,
    node: `node${node}`,
    uplink: "net0",
    inside: "stack",
    arguments: ["--cluster-secret", join(lab.folder, SECRET), ...words],
    program,
  });
}

/** Has the router send everything that is for Services to one node. */
export function routeVips({ router }: Pick<TwoNodes, "router">, node: 1 | 2): void {
  const [ipv4, ipv6] = VIPS;
  router.ip(`route replace ${ipv4} via 10.1.1.${node + 1}`, `route replace ${ipv6} via fd00:1::${node + 1}`);
}

/** How a pod of `web` is listed in its EndpointSlices. */
export type FarState = "ready" | "draining";

/** Lists far1 among the backends of `web` as the API server would; both gateways go by it a moment later. */
export function listFar1(network: TwoNodes, state: FarState): void {
  const conditions = { ready: "ready: true", draining: "ready: false, serving: true, terminating: true" };
  const entry = `conditions: {${conditions[state]}}`;
  for (const address of [network.far[0].ipv4, network.far[0].ipv6]) {
    const listed = new RegExp(`( {2}- addresses: \\["${address}"\\]\\n {4}nodeName: node2\\n {4})conditions: {.*}`);
    network.configuration.edit(listed, `$1${entry}`);
  }
}

/** Writes the switches that both gateways read, and resolves when they are in force on both. */
export async function setSwitches(network: TwoNodes, switches: Readonly<Record<string, string>>): Promise<void> {
  const text = ciliumConfig(switches);
  const file = join(network.configuration.folder, SWITCHES);
  // What is written once more changes nothing, and no gateway would say that it has taken it.
  if (existsSync(file) && readFileSync(file, "utf8") === text) return;
  const before = epochs(network);
  network.configuration.write(SWITCHES, text);
  await takenByBoth(network, before);
}

function epochs({ gateways }: TwoNodes): number[] {
  return gateways.map((gateway) => gateway.status().datapath.epoch);
}

async function takenByBoth(network: TwoNodes, before: readonly number[]): Promise<void> {
  await waitFor("both gateways to take the change", () =>
    epochs(network).every((epoch, index) => epoch > before[index]!),
  );
}
