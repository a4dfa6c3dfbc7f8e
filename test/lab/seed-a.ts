/**
 * The smallest real network around a gateway: an outside client, an upstream router of another AS, one node, two pods.
 *
 *    client               router (FRR, AS 65001)          node1 (AS 65000)              pods
 *   +----------------+   +--------------------------+   +--------------------------+
 *   | 203.0.113.10   |   | 203.0.113.1    10.1.1.1  |   | 10.1.1.2                 |   +--------------+
 *   | eth0 ----------|---|- to-client    to-node ---|---|- net0             lxc1 --|---| 10.2.3.5:80  |
 *   |                |   | lo 192.168.1.1           |   | lo 10.2.3.1       lxc2 --|-+ +--------------+
 *   +----------------+   +--------------------------+   +--------------------------+ | +--------------+
 *                                                                                    +-| 10.2.3.6:80  |
 *    VIP 192.168.10.100:80 is an address of none of them: the node announces it.       +--------------+
 *
 * The router speaks BGP from its loopback, which is not on the node's subnet. Its end of net0's link has checksum
 * offload off, as a wire would: what reaches net0 has finished checksums.
 */
import { Frr } from "./frr.ts";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import { Pod } from "./pod.ts";

export const VIP = "192.168.10.100";
export const CLIENT_ADDRESS = "203.0.113.10";
export const NODE_ADDRESS = "10.1.1.2";
export const ROUTER_ADDRESS = "192.168.1.1";

const POD_GATEWAY = "10.2.3.1";
const PODS = [
  { name: "pod1", address: "10.2.3.5", device: "lxc1" },
  { name: "pod2", address: "10.2.3.6", device: "lxc2" },
];

const FRR_CONFIG = `
router bgp 65001
 bgp router-id ${ROUTER_ADDRESS}
 no bgp ebgp-requires-policy
 neighbor ${NODE_ADDRESS} remote-as 65000
 neighbor ${NODE_ADDRESS} update-source ${ROUTER_ADDRESS}
 neighbor ${NODE_ADDRESS} disable-connected-check
`;

/** The machines up to the node's uplink, joined. */
export interface OutsideLinks {
  readonly client: Namespace;
  readonly router: Namespace;
  readonly node: Namespace;
}

/** Everything outside the node, and the node with its uplink. */
export interface Outside extends OutsideLinks {
  readonly frr: Frr;
}

export interface SeedA extends Outside {
  readonly pods: readonly Pod[];
}

export interface SeedAOptions {
  /** Queues of the link between router and node: a veth delivers to the queue that the sender's flow hash chose. */
  readonly queues?: number;
}

/** Builds the network and starts router and pods; no gateway runs yet, so the VIP leads nowhere. */
export async function seedA(lab: Lab, options: SeedAOptions = {}): Promise<SeedA> {
  const network = await outside(lab, options);
  network.node.ip(`addr add ${POD_GATEWAY}/32 dev lo`);
  const pods = await Promise.all(PODS.map((pod) => startPod(lab, network.node, pod)));
  return { ...network, pods };
}

/** Client, router and node up to its uplink; what stands behind the node is up to the caller. */
export async function outside(lab: Lab, options: SeedAOptions): Promise<Outside> {
  const links = outsideLinks(lab, options);
  const frr = new Frr(lab, links.router, FRR_CONFIG);
  await frr.start();
  return { ...links, frr };
}

/** The same before anything runs on the router. */
export function outsideLinks(lab: Lab, { queues = 1 }: SeedAOptions = {}): OutsideLinks {
  const client = lab.namespace("client");
  const router = lab.namespace("router");
  const node = lab.namespace("node1");
  router.ip(`addr add ${ROUTER_ADDRESS}/32 dev lo`);
  lab.connect(
    { namespace: client, device: "eth0", addresses: [`${CLIENT_ADDRESS}/24`] },
    { namespace: router, device: "to-client", addresses: ["203.0.113.1/24"] },
  );
  lab.connect(
    { namespace: router, device: "to-node", addresses: ["10.1.1.1/24"], offload: { tx: false }, queues },
    { namespace: node, device: "net0", addresses: [`${NODE_ADDRESS}/24`], queues },
  );
  client.ip("route add default via 203.0.113.1");
  node.ip("route add default via 10.1.1.1");
  for (const forwarder of [router, node]) forwarder.sysctl("net.ipv4.ip_forward", 1);
  return { client, router, node };
}

/** A pod as CNIs make it: one /32, a gateway that is an address of the node, and a host route back. */
function startPod(lab: Lab, node: Namespace, { name, address, device }: (typeof PODS)[number]): Promise<Pod> {
  const namespace = lab.namespace(name);
  lab.connect({ namespace: node, device }, { namespace, device: "eth0", addresses: [`${address}/32`] });
  namespace.ip(`route add ${POD_GATEWAY} dev eth0`, `route add default via ${POD_GATEWAY}`);
  node.ip(`route add ${address}/32 dev ${device}`);
  return Pod.start(name, address, 80, namespace);
}

/** Whether the router's kernel sends the VIP's packets on: bgpd knows a path some milliseconds before that. */
export function isVipRouted({ router }: Outside): boolean {
  return router.run(["ip", "route", "show", VIP]).trim() !== "";
}
