/**
 * A network of both IP families around a gateway, with a link of 1400 bytes to one of its backends.
 *
 *    client                   router                         node1
 *   +--------------------+   +--------------------------+   +--------------------+
 *   | 203.0.113.10       |   | 203.0.113.1    10.1.1.1  |   | 10.1.1.2           |
 *   | 2001:db8:113::10   |   | 2001:db8:113::1 fd00:1::1|   | fd00:1::2          |
 *   | eth0 --------------|---|- to-client      to-node -|---|- net0              |--- backends
 *   +--------------------+   +--------------------------+   +--------------------+
 *
 *    192.168.10.96/28 and fd00:10::/112 are routed to the node statically.
 *
 * The uplink has two queues. The backends are pods in the node's own stack (`podsInStack`), and then requests, replies and
 * errors of one flow meet different workers; or hosts behind a second NIC of one queue (`hostsOnLan`), and one worker has
 * both of the uplink's. The way to the backend `narrow` takes packets of 1400 bytes, while both its ends believe in 1500:
 * who sends more must be told.
 */
import { Configuration, ciliumConfig } from "./configuration.ts";
import { type Backend, forwarder, host, startPod, startServers } from "./dual-stack-host.ts";
import { Gateway } from "./gateway.ts";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import type { Pod } from "./pod.ts";
import { waitFor } from "./wait-for.ts";

export const NARROW_MTU = 1400;

/** What one family calls the places of the network. */
export interface Places {
  readonly family: 4 | 6;
  readonly client: string;
  readonly router: string;
  readonly node: string;
  /** Served by two backends: TCP 80, UDP 7 (echo), and TCP 81 and UDP 9, at which no backend listens. */
  readonly web: string;
  /** Served by the backend behind the narrow link. */
  readonly narrow: string;
  /** Served by nobody. */
  readonly empty: string;
}

export const PLACES: readonly Places[] = [
  {
    family: 4,
    client: "203.0.113.10",
    router: "203.0.113.1",
    node: "10.1.1.2",
    web: "192.168.10.100",
    narrow: "192.168.10.101",
    empty: "192.168.10.102",
  },
  {
    family: 6,
    client: "2001:db8:113::10",
    router: "2001:db8:113::1",
    node: "fd00:1::2",
    web: "fd00:10::100",
    narrow: "fd00:10::101",
    empty: "fd00:10::102",
  },
];

export interface Backends {
  readonly web: readonly Backend[];
  readonly narrow: Backend;
  /** What the gateway is told of its inside. */
  readonly inside: string;
  /** They are no pods of the gateway's node. */
  readonly elsewhere?: true;
}

export type MakeBackends = (lab: Lab, node: Namespace, router: Namespace) => Promise<Backends>;

export interface DualStack {
  readonly client: Namespace;
  readonly router: Namespace;
  readonly node: Namespace;
  readonly web: readonly Pod[];
  readonly narrow: Pod;
  /** Pods or hosts, which the client reaches directly as well. */
  readonly backends: Backends;
  readonly gateway: Gateway;
}

export interface DualStackOptions {
  /** Of every link. */
  readonly mtu?: number;
  /** Further arguments of the gateway. */
  readonly arguments?: readonly string[];
  /** Cilium's, for the whole cluster. */
  readonly switches?: Readonly<Record<string, string>>;
}

/** Builds the network with the backends that `inside` makes, starts the gateway, and resolves when it forwards. */
export async function dualStack(lab: Lab, inside: MakeBackends, options: DualStackOptions = {}): Promise<DualStack> {
  const client = host(lab, "client");
  const router = forwarder(lab, "router");
  const node = forwarder(lab, "node1");
  lab.connect(
    { namespace: client, device: "eth0", addresses: ["203.0.113.10/24", "2001:db8:113::10/64"] },
    { namespace: router, device: "to-client", addresses: ["203.0.113.1/24", "2001:db8:113::1/64"] },
  );
  lab.connect(
    {
      namespace: router,
      device: "to-node",
      addresses: ["10.1.1.1/24", "fd00:1::1/64", "fe80::1/64"],
      offload: { tx: false },
      // To generic XDP what a veth sends by its queue N has come by queue N - 1.
      queues: 3,
    },
    { namespace: node, device: "net0", addresses: ["10.1.1.2/24", "fd00:1::2/64"], queues: 2 },
  );
  client.ip("route add default via 203.0.113.1", "route add default via 2001:db8:113::1");
  // As router advertisements do it, and most networks do.
  node.ip("route add default via 10.1.1.1", "route add default via fe80::1 dev net0");
  router.ip("route add 192.168.10.96/28 via 10.1.1.2", "route add fd00:10::/112 via fd00:1::2");
  const backends = await inside(lab, node, router);
  lab.setMtu(options.mtu ?? 1500);

  const configuration = new Configuration(lab, "dual-stack");
  configuration.write("endpoints.yaml", endpointSlices(backends));
  if (options.switches !== undefined) configuration.write("cilium-config.yaml", ciliumConfig(options.switches));
  const gateway = await Gateway.start(lab, node, {
    configuration: configuration.folder,
    node: "node1",
    uplink: "net0",
    inside: backends.inside,
    arguments: options.arguments ?? [],
  });
  const served = () => gateway.status().services.map(({ vip }) => vip);
  const isServed = ({ narrow }: Places) => served().some((vip) => vip.includes(narrow));
  await waitFor("the Services to be served", () => PLACES.every(isServed), { seen: served });
  const web = backends.web.map(({ pod }) => pod);
  return { client, router, node, web, narrow: backends.narrow.pod, backends, gateway };
}

export async function podsInStack(lab: Lab, node: Namespace, router: Namespace): Promise<Backends> {
  router.ip("route add 10.2.3.0/24 via 10.1.1.2", "route add fd00:2::/64 via fd00:1::2");
  node.ip("addr add 10.2.3.1/32 dev lo");
  const start = (name: string, number: number, route = "") =>
    startPod(lab, node, {
      name,
      device: `lxc${number}`,
      ipv4: `10.2.3.${number}`,
      ipv6: `fd00:2::${number}`,
      gateway4: "10.2.3.1",
      route,
    });
  const [one, two, narrow] = await Promise.all([
    start("pod1", 5),
    start("pod2", 6),
    start("narrow", 7, `mtu lock ${NARROW_MTU}`),
  ]);
  return { web: [one, two], narrow, inside: "stack" };
}

/** Two hosts on a LAN of the node, and `narrow` behind another router of that LAN. All send back through the node. */
export async function hostsOnLan(lab: Lab, node: Namespace, router: Namespace): Promise<Backends> {
  router.ip("route add 10.9.0.0/24 via 10.1.1.2", "route add fd00:9::/64 via fd00:1::2");
  const lan = lab.namespace("lan");
  lan.ip("link add bridge type bridge mcast_snooping 0 forward_delay 0 stp_state 0", "link set bridge up");
  lab.connect(
    { namespace: node, device: "lan0", addresses: ["10.9.0.1/24", "fd00:9::1/64"] },
    { namespace: lan, device: "port0" },
  );
  lan.ip("link set port0 master bridge");
  const join = (namespace: Namespace, number: number) => {
    const addresses = [`10.9.0.${number}/24`, `fd00:9::${number}/64`];
    lab.connect(
      { namespace, device: "eth0", addresses, offload: { tx: false } },
      { namespace: lan, device: `port${number}` },
    );
    lan.ip(`link set port${number} master bridge`);
    namespace.ip("route add default via 10.9.0.1", "route add default via fd00:9::1");
  };
  const start = async (name: string, number: number): Promise<Backend> => {
    const namespace = host(lab, name);
    join(namespace, number);
    return { pod: await startServers(name, namespace), ipv4: `10.9.0.${number}`, ipv6: `fd00:9::${number}` };
  };
  const inner = forwarder(lab, "inner");
  join(inner, 2);
  const far = host(lab, "narrow");
  lab.connect(
    { namespace: inner, device: "to-narrow", addresses: ["10.9.8.1/24", "fd00:98::1/64"] },
    { namespace: far, device: "eth0", addresses: ["10.9.8.13/24", "fd00:98::13/64"] },
  );
  far.ip("route add default via 10.9.8.1", "route add default via fd00:98::1");
  for (const address of ["10.9.8.13/32", "fd00:98::13/128"]) {
    inner.ip(`route add ${address} dev to-narrow mtu lock ${NARROW_MTU}`);
  }
  node.ip("route add 10.9.8.0/24 via 10.9.0.2", "route add fd00:98::/64 via fd00:9::2");
  const [one, two, pod] = await Promise.all([
    start("backend1", 11),
    start("backend2", 12),
    startServers("narrow", far),
  ]);
  return { web: [one, two], narrow: { pod, ipv4: "10.9.8.13", ipv6: "fd00:98::13" }, inside: "lan0" };
}

function endpointSlices({ web, narrow, elsewhere }: Backends): string {
  const place = elsewhere ? "" : "\n    nodeName: node1";
  const slice = (service: string, family: "ipv4" | "ipv6", backends: readonly Backend[], ports: readonly string[]) => `\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${service}-${family}
  namespace: default
  labels:
    kubernetes.io/service-name: ${service}
addressType: ${family === "ipv4" ? "IPv4" : "IPv6"}
endpoints:
${backends.map((backend) => `  - addresses: ["${backend[family]}"]${place}\n    conditions: {ready: true}`).join("\n")}
ports:
${ports.map((port) => `  - ${port}`).join("\n")}
`;
  const http = "{name: http, port: 80, protocol: TCP}";
  const others = ["{name: echo, port: 7, protocol: UDP}", "{name: closed-tcp, port: 81, protocol: TCP}"];
  const ports = [http, ...others, "{name: closed-udp, port: 9, protocol: UDP}"];
  return (["ipv4", "ipv6"] as const)
    .flatMap((family) => [slice("web", family, web, ports), slice("narrow", family, [narrow], [http])])
    .join("---\n");
}
