/**
 * A link with five gateway nodes, a client and a router on it, and two more nodes and a client behind the router.
 *
 *    client 10.0.5.20 ──┐                    ┌── n1..n5  10.0.5.11-15, each with a pod 10.1.N.5 in its stack
 *                       ├── bridge (lan) ────┤
 *    router 10.0.5.1 ───┘                    └── mgmt: nothing; heartbeats take the same link
 *      │ 10.0.6.1 ── n6, n7 (10.0.6.16-17): another link, no policy selects them
 *      └ 203.0.113.1 ── far 203.0.113.10
 *
 * Everything has IPv6 too: fd05::/64 on the bridge, fd06::/64, fd13::/64. VIPs are 10.0.5.100.. and fd05::100.., so who
 * is on the link resolves them and the router does for whoever is behind it. The router is FRR's, as far as the kernel
 * forwards for it.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { L2Status } from "../../src/announcer/announcer-message.ts";
import { ask } from "../../src/api/client.ts";
import { Configuration } from "./configuration.ts";
import { Frr } from "./frr.ts";
import { type ClusterGatewayOptions, Gateway, type GatewayOptions } from "./gateway.ts";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import { Pod } from "./pod.ts";
import type { LabProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

/** The router's configuration, in FRR's words. */
const ROUTER = `hostname router
interface to-lan
 ip address 10.0.5.1/24
 ipv6 address fd05::1/64
interface to-far
 ip address 203.0.113.1/24
 ipv6 address fd13::1/64
`;

export const NODES = [1, 2, 3, 4, 5] as const;
export const VIP_COUNT = 10;
/** Of a Service that has both. */
export const WEB = { 4: "10.0.5.100", 6: "fd05::100" } as const;

export interface L2Node {
  readonly name: string;
  readonly namespace: Namespace;
  /** The bridge's end of its link. */
  readonly bridgePort: string;
  gateway: { readonly socket: string; readonly process: LabProcess } | null;
}

export interface L2Segment {
  readonly lab: Lab;
  readonly client: Namespace;
  readonly far: Namespace;
  readonly router: Namespace;
  readonly bridge: Namespace;
  /** Those on the link, and then those behind the router. */
  readonly nodes: readonly L2Node[];
  /** Where the gateways have their manifests from; the folder below, unless a test has it otherwise. */
  source: (node: string) => Pick<GatewayOptions, "configuration"> | Pick<ClusterGatewayOptions, "cluster">;
  readonly configuration: Configuration;
  readonly secret: string;
}

/** Builds the network with its pods; no gateway runs yet. */
export async function l2Segment(lab: Lab): Promise<L2Segment> {
  const host = (name: string, forwards: boolean): Namespace => {
    const namespace = lab.namespace(name);
    for (const which of ["all", "default"]) namespace.sysctl(`net.ipv6.conf.${which}.accept_dad`, 0);
    if (forwards) for (const key of ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]) namespace.sysctl(key, 1);
    return namespace;
  };
  const bridge = lab.namespace("lan");
  bridge.ip("link add bridge type bridge mcast_snooping 0 forward_delay 0 stp_state 0", "link set bridge up");
  const plug = (namespace: Namespace, device: string, port: string, addresses: readonly string[]) => {
    lab.connect({ namespace, device, addresses, offload: { tx: false } }, { namespace: bridge, device: port });
    bridge.ip(`link set ${port} master bridge`);
  };
  const router = host("router", true);
  plug(router, "to-lan", "port-r", []);
  const client = host("client", false);
  plug(client, "eth0", "port-c", ["10.0.5.20/24", "fd05::20/64"]);
  client.ip("route add default via 10.0.5.1", "route add default via fd05::1");
  const far = host("far", false);
  lab.connect(
    { namespace: far, device: "eth0", addresses: ["203.0.113.10/24", "fd13::10/64"], offload: { tx: false } },
    { namespace: router, device: "to-far" },
  );
  await new Frr(lab, router, ROUTER).start();
  far.ip("route add default via 203.0.113.1", "route add default via fd13::1");

  const nodes = [...NODES, 6, 7].map((number): L2Node & { number: number } => {
    const namespace = host(`n${number}`, true);
    const link = number > 5 ? 6 : 5;
    const addresses = [`10.0.${link}.1${number}/24`, `fd0${link}::1${number}/64`];
    if (link === 5) plug(namespace, "net0", `port-${number}`, addresses);
    else {
      lab.connect(
        { namespace, device: "net0", addresses, offload: { tx: false } },
        { namespace: router, device: `to-n${number}`, offload: { tx: false } },
      );
      router.ip(`addr add 10.0.6.${number === 6 ? "1" : "2"}/32 dev to-n${number}`);
      router.ip(`route add 10.0.6.1${number}/32 dev to-n${number}`, `route add fd06::1${number}/128 dev to-n${number}`);
    }
    const gateway = link === 5 ? "10.0.5.1" : `10.0.6.${number === 6 ? "1" : "2"}`;
    namespace.ip(`route add default via ${gateway} dev net0 onlink`);
    if (link === 5) namespace.ip("route add default via fd05::1");
    return { name: `n${number}`, number, namespace, bridgePort: `port-${number}`, gateway: null };
  });
  const onLink = nodes.filter(({ number }) => number <= 5);
  await Promise.all(onLink.map(({ namespace, number }) => startPod(lab, namespace, number)));
  for (const { namespace, number } of onLink) {
    for (const other of NODES) {
      if (other === number) continue;
      namespace.ip(
        `route add 10.1.${other}.0/24 via 10.0.5.1${other}`,
        `route add fd01:${other}::/64 via fd05::1${other}`,
      );
    }
  }
  const configuration = new Configuration(lab, "l2-segment");
  configuration.write(
    "services.yaml",
    services(VIP_COUNT)
      .map((object) => JSON.stringify(object))
      .join("\n---\n"),
  );
  const secret = join(lab.folder, "cluster.secret");
  writeFileSync(secret, "the secret of the lab's cluster\n");
  const source = () => ({ configuration: configuration.folder });
  return { lab, client, far, router, bridge, nodes, source, configuration, secret };
}

/** Starts the gateways of some nodes, and waits until each VIP has an owner that all agree on. */
export async function startGateways(segment: L2Segment, nodes: readonly L2Node[]): Promise<void> {
  await Promise.all(nodes.map((node) => startGateway(segment, node)));
  await agreed(segment);
}

/** Asked over its socket from here: a command of its own for each question would keep two cores busy. */
export async function startGateway(
  { lab, source, secret }: L2Segment,
  node: L2Node,
  further: readonly string[] = [],
): Promise<void> {
  const socket = join(lab.folder, `${node.name}.sock`);
  const options = { ...source(node.name), node: node.name, uplink: "net0", inside: "stack" };
  // Seven gateways share this machine: their tables need not be large.
  const more = ["--cluster-secret", secret, "--flows", "65536", ...further];
  const process = node.namespace.start("sluice", Gateway.command({ ...options, arguments: more }, socket));
  const inForce = () => process.exit() !== null || process.log().includes("configuration in force");
  await waitFor(`${node.name} to serve`, inForce, { timeoutSeconds: 40, seen: () => process.log().slice(-2000) });
  if (process.exit() !== null) throw new Error(`sluice run ended at once: ${process.log()}`);
  node.gateway = { socket, process };
}

export async function stopGateway(node: L2Node, signal: NodeJS.Signals): Promise<void> {
  await node.gateway!.process.stop(signal);
  node.gateway = null;
}

export function l2Status({ gateway }: L2Node): Promise<L2Status> {
  return ask<L2Status>(gateway!.socket, "/v1/l2/owners");
}

/** The nodes on the link whose gateways run. */
export function running({ nodes }: L2Segment): L2Node[] {
  return nodes.slice(0, NODES.length).filter(({ gateway }) => gateway !== null);
}

/** The owner of each VIP, once all running nodes on the link say the same; waits for that. */
export async function agreed(segment: L2Segment, timeoutSeconds = 10): Promise<Map<string, string>> {
  let views: string[] = [];
  let owners = new Map<string, string>();
  const isAgreed = async () => {
    const statuses = await Promise.all(running(segment).map(l2Status));
    views = statuses.map((status) =>
      JSON.stringify(status.owners.map(({ address, owner, state }) => [address, state === "owned" ? owner : null])),
    );
    owners = new Map(statuses[0]!.owners.flatMap(({ address, owner }) => (owner === null ? [] : [[address, owner]])));
    return owners.size === 2 * VIP_COUNT && views.every((view) => view === views[0] && !view.includes("null"));
  };
  await waitFor("all nodes to agree on owners", isAgreed, { timeoutSeconds, seen: () => views.join("\n") });
  return owners;
}

/**
 * Resolves when a node that runs sees another owner of an address than the one that has gone. That it is answered says less:
 * a process that was killed leaves programs which go on answering.
 */
export async function followed(segment: L2Segment, address: string, gone: string): Promise<void> {
  const [witness] = running(segment);
  let owner: string | null = null;
  const isFollowed = async () => {
    const { owners } = await l2Status(witness!);
    owner = owners.find((one) => one.address === address)!.owner;
    return owner !== null && owner !== gone;
  };
  await waitFor(`${gone} to be followed`, isFollowed, { everyMilliseconds: 20, seen: () => owner });
}

function startPod(lab: Lab, node: Namespace, number: number): Promise<Pod> {
  const namespace = lab.namespace(`pod${number}`);
  for (const which of ["all", "default"]) namespace.sysctl(`net.ipv6.conf.${which}.accept_dad`, 0);
  const ipv4 = `10.1.${number}.5`;
  const ipv6 = `fd01:${number}::5`;
  lab.connect(
    { namespace: node, device: "lxc0", addresses: ["fe80::1/64"] },
    { namespace, device: "eth0", addresses: [`${ipv4}/32`, `${ipv6}/128`], offload: { tx: false } },
  );
  node.ip(`addr add 10.1.${number}.1/32 dev lo`);
  namespace.ip(`route add 10.1.${number}.1 dev eth0`, `route add default via 10.1.${number}.1`);
  namespace.ip("route add default via fe80::1 dev eth0");
  node.ip(`route add ${ipv4}/32 dev lxc0`, `route add ${ipv6}/128 dev lxc0`);
  return Pod.start(`pod${number}`, "::", 80, namespace);
}

/** Services `web`, `web1`, ..., with the pods as their endpoints. */
export function services(count: number): object[] {
  const objects: object[] = [];
  for (let index = 0; index < count; index++) {
    const name = index === 0 ? "web" : `web${index}`;
    const metadata = {
      ...{ name, namespace: "default", labels: { announce: "l2" } },
      annotations: { "lbipam.cilium.io/ips": `10.0.5.${100 + index},fd05::${100 + index}` },
    };
    const ports = [{ name: "http", port: 80, protocol: "TCP" }];
    const spec = { type: "LoadBalancer", ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack", ports };
    objects.push({ apiVersion: "v1", kind: "Service", metadata, spec });
    for (const family of ["IPv4", "IPv6"]) {
      objects.push({
        ...{ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", addressType: family, ports },
        metadata: {
          ...{ name: `${name}-${family.toLowerCase()}`, namespace: "default" },
          labels: { "kubernetes.io/service-name": name },
        },
        endpoints: NODES.map((number) => ({
          addresses: [family === "IPv4" ? `10.1.${number}.5` : `fd01:${number}::5`],
          ...{ nodeName: `n${number}`, conditions: { ready: true } },
        })),
      });
    }
  }
  return objects;
}
