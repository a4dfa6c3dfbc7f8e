/**
 * The leaf-spine network of the documents' cluster: every rack has a leaf that reflects routes between its nodes (iBGP),
 * and two spines join the racks (eBGP). Drawn with the IPv4 addresses; toIpv6 gives the others.
 *
 *                          client 192.168.0.10
 *                            |
 *        spine01 (AS 500)   spine02 (AS 800)  192.168.0.1
 *    10.0.101.1 | | 10.0.102.1   10.0.103.1 | | 10.0.104.1
 *               | +-----------------------+ | |
 *               |   +---------------------|-+ |
 *    10.0.101.2 |   | 10.0.103.2          |   |
 *             leaf01 (AS 65005)          leaf02 (AS 65010)     10.0.102.2 and 10.0.104.2
 *               | eth1 10.0.5.1            | eth1 10.0.10.1
 *            leaf01-br                   leaf02-br
 *      +--------+--------+-----------+     +----------+
 *      | net0   | net0   | net0      |     | net0     | net0
 *    rack0-a  rack0-b  client2     rack1-a          rack1-b
 *    .11      .12      10.0.5.20   10.0.10.11       .12
 *    pods     pods                 pods             pods
 *    10.1.0.x 10.1.3.x             10.1.1.x         10.1.2.x
 *
 * The ports of the bridges that face nodes have checksum offload off, as a wire would: what reaches net0 has finished
 * checksums, and no frame is longer than the MTU.
 */
import { toIpv6 } from "./both-families.ts";
import { forwarder, host } from "./dual-stack-host.ts";
import type { Lab } from "./lab.ts";
import { leafConfig, spineConfig } from "./leaf-spine-routers.ts";
import type { Namespace } from "./namespace.ts";
import { makeRouter, type Router, type RouterKind } from "./router.ts";

export const CLIENT_ADDRESS = "192.168.0.10";
export const CLIENT2_ADDRESS = "10.0.5.20";

/** A machine of the cluster before anything of the cluster runs on it. */
export interface RackNode {
  readonly name: string;
  readonly rack: "rack0" | "rack1";
  readonly address: string;
  readonly podCidr: string;
  readonly namespace: Namespace;
}

export interface LeafSpine {
  readonly leaf01: Router;
  readonly leaf02: Router;
  readonly spine01: Router;
  readonly spine02: Router;
  readonly leaf01Bridge: Namespace;
  readonly leaf02Bridge: Namespace;
  readonly nodes: readonly RackNode[];
  readonly client: Namespace;
  readonly client2: Namespace;
}

const NODES = [
  { name: "rack0-a", rack: "rack0", address: "10.0.5.11", podCidr: "10.1.0.0/24" },
  { name: "rack0-b", rack: "rack0", address: "10.0.5.12", podCidr: "10.1.3.0/24" },
  { name: "rack1-a", rack: "rack1", address: "10.0.10.11", podCidr: "10.1.1.0/24" },
  { name: "rack1-b", rack: "rack1", address: "10.0.10.12", podCidr: "10.1.2.0/24" },
] as const;

/** Name, device and address of both ends of the links between leaves and spines. */
const FABRIC = [
  ["leaf01", "eth2", "10.0.101.2", "spine01", "eth1", "10.0.101.1"],
  ["leaf02", "eth2", "10.0.102.2", "spine01", "eth2", "10.0.102.1"],
  ["leaf01", "eth3", "10.0.103.2", "spine02", "eth2", "10.0.103.1"],
  ["leaf02", "eth3", "10.0.104.2", "spine02", "eth3", "10.0.104.1"],
] as const;

/** Builds the network and starts the routers. Nothing of the cluster runs yet. */
export async function leafSpine(lab: Lab, kind: RouterKind): Promise<LeafSpine> {
  const routers = Object.fromEntries(
    ["leaf01", "leaf02", "spine01", "spine02"].map((name) => [name, router(lab, name)]),
  ) as Record<string, Namespace>;
  for (const [leaf, leafDevice, leafAddress, spine, spineDevice, spineAddress] of FABRIC) {
    lab.connect(
      { namespace: routers[leaf]!, device: leafDevice, addresses: onLink(leafAddress) },
      { namespace: routers[spine]!, device: spineDevice, addresses: onLink(spineAddress) },
    );
  }
  const client = host(lab, "client");
  lab.connect(
    { namespace: client, device: "net0", addresses: onLink(CLIENT_ADDRESS) },
    { namespace: routers["spine02"]!, device: "eth1", addresses: onLink("192.168.0.1") },
  );
  defaultRoute(client, "192.168.0.1");

  const leaf01Bridge = rackBridge(lab, routers["leaf01"]!, "10.0.5.1");
  const leaf02Bridge = rackBridge(lab, routers["leaf02"]!, "10.0.10.1");
  const nodes = NODES.map((node) => {
    const [plug, gateway] = node.rack === "rack0" ? [leaf01Bridge, "10.0.5.1"] : [leaf02Bridge, "10.0.10.1"];
    const namespace = forwarder(lab, node.name);
    plugIn(lab, plug, namespace, node.address, gateway);
    return { ...node, namespace };
  });
  const client2 = host(lab, "client2");
  plugIn(lab, leaf01Bridge, client2, CLIENT2_ADDRESS, "10.0.5.1");

  const made = (name: string, config: Parameters<typeof makeRouter>[3]) =>
    makeRouter(lab, kind, routers[name]!, config);
  const network = {
    leaf01: made("leaf01", leafConfig(kind, 1)),
    leaf02: made("leaf02", leafConfig(kind, 2)),
    spine01: made("spine01", spineConfig(kind, 1)),
    spine02: made("spine02", spineConfig(kind, 2)),
  };
  await Promise.all(Object.values(network).map((one) => one.start()));
  return { ...network, leaf01Bridge, leaf02Bridge, nodes, client, client2 };
}

function router(lab: Lab, name: string): Namespace {
  const namespace = forwarder(lab, name);
  // Where there are several ways, a connection stays on one.
  for (const family of ["ipv4", "ipv6"]) namespace.sysctl(`net.${family}.fib_multipath_hash_policy`, 1);
  return namespace;
}

/** A switch that learns, floods and does nothing else, with the leaf plugged in. */
function rackBridge(lab: Lab, leaf: Namespace, address: string): Namespace {
  const namespace = host(lab, `${leaf.name.slice(lab.prefix.length + 1)}-br`);
  namespace.ip("link add br0 type bridge mcast_snooping 0 forward_delay 0 stp_state 0", "link set br0 up");
  lab.connect({ namespace: leaf, device: "eth1", addresses: onLink(address) }, { namespace, device: "uplink" });
  namespace.ip("link set uplink master br0");
  return namespace;
}

/** A port of a bridge, named after who is behind it. */
function plugIn(lab: Lab, plug: Namespace, machine: Namespace, address: string, gateway: string): void {
  const port = machine.name.slice(lab.prefix.length + 1);
  lab.connect(
    { namespace: machine, device: "net0", addresses: onLink(address) },
    { namespace: plug, device: port, offload: { tx: false } },
  );
  plug.ip(`link set ${port} master br0`);
  defaultRoute(machine, gateway);
}

function onLink(address: string): string[] {
  return [`${address}/24`, toIpv6(`${address}/24`)];
}

function defaultRoute(machine: Namespace, gateway: string): void {
  machine.ip(`route add default via ${gateway}`, `route add default via ${toIpv6(gateway)}`);
}
