/**
 * The network that the examples of the command line speak of: two nodes with gateways and one without, a router `tor1` that
 * speaks BGP with both, a client behind it, and a pod.
 *
 *    client 203.0.113.10 -- 203.0.113.1 router (FRR, AS 65001) 10.1.1.1 --+-- eth0 10.1.1.2 node1 -- pod 10.2.1.5
 *                                                                  bridge +-- eth0 10.1.1.3 node2
 *                                                                         +-- eth0 10.1.1.4 spare, with an eth1 as well
 *
 * Each node has an /etc/sluice and a /run of its own, by bind mounts that only its commands see.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { forwarder, host, podNamespace } from "./dual-stack-host.ts";
import { Frr } from "./frr.ts";
import { SLUICE } from "./gateway.ts";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import { Pod } from "./pod.ts";
import type { LabProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const MANIFESTS = join(ROOT, "test/data/manifests/examples");
const ROUTER = `hostname tor1
router bgp 65001
 bgp router-id 10.1.1.1
 no bgp ebgp-requires-policy
 neighbor 10.1.1.2 remote-as 65000
 neighbor 10.1.1.3 remote-as 65000
 address-family ipv4 unicast
  network 203.0.113.0/24
 exit-address-family
`;
export const NODE_NAMES = ["node1", "node2", "spare"] as const;
export type NodeName = (typeof NODE_NAMES)[number];

export class ExamplesNetwork {
  readonly client: Namespace;
  readonly folder: string;
  readonly #nodes: ReadonlyMap<NodeName, Namespace>;
  readonly #madeFolder: boolean;

  static async start(lab: Lab): Promise<ExamplesNetwork> {
    const client = host(lab, "client");
    const router = forwarder(lab, "router");
    const fabric = lab.namespace("fabric");
    lab.connect(
      { namespace: client, device: "eth0", addresses: ["203.0.113.10/24"], offload: { tx: false } },
      { namespace: router, device: "to-client", addresses: ["203.0.113.1/24"] },
    );
    client.ip("route add default via 203.0.113.1");
    fabric.ip("link add bridge type bridge mcast_snooping 0 forward_delay 0 stp_state 0", "link set bridge up");
    const plug = (namespace: Namespace, device: string, port: string, addresses: readonly string[]) => {
      const end = { namespace, device, addresses, offload: { tx: false } };
      lab.connect(end, { namespace: fabric, device: port, offload: { tx: false } });
      fabric.ip(`link set ${port} master bridge`);
    };
    plug(router, "fabric0", "port-r", ["10.1.1.1/24"]);
    const nodes = new Map(NODE_NAMES.map((name) => [name, forwarder(lab, name)] as const));
    for (const [index, [name, node]] of [...nodes].entries()) {
      plug(node, "eth0", `port-${name}`, [`10.1.1.${index + 2}/24`]);
      node.ip("link set lo up", "route add default via 10.1.1.1");
    }
    plug(nodes.get("spare")!, "eth1", "port-inside", []);
    const node1 = nodes.get("node1")!;
    node1.ip("addr add 10.2.1.1/32 dev lo");
    const place = { name: "pod", device: "lxc5", ipv4: "10.2.1.5", ipv6: "fd00:2:1::5", gateway4: "10.2.1.1" };
    await Pod.start("pod", "::", 80, podNamespace(lab, node1, place));
    nodes.get("node2")!.ip("route add 10.2.1.0/24 via 10.1.1.2");
    await new Frr(lab, router, ROUTER).start();
    const network = new ExamplesNetwork(lab.folder, client, nodes);
    for (const name of ["node1", "node2"] as const) await network.#startGateway(name);
    return network;
  }

  private constructor(labFolder: string, client: Namespace, nodes: ReadonlyMap<NodeName, Namespace>) {
    this.client = client;
    this.folder = join(labFolder, "typed");
    this.#nodes = nodes;
    this.#madeFolder = !existsSync("/etc/sluice");
    mkdirSync("/etc/sluice", { recursive: true });
    for (const name of ["manifests", "live", "new"]) cpSync(MANIFESTS, join(this.folder, name), { recursive: true });
    // What would move: the address of web.
    writeFileSync(join(this.folder, "new", "zz.yaml"), MOVED);
    for (const name of NODE_NAMES) mkdirSync(join(this.folder, `run-${name}`, "sluice"), { recursive: true });
    writeFileSync(join(this.folder, "secret"), "a secret of all nodes of the examples");
    symlinkSync(join(ROOT, "docs"), join(this.folder, "docs"));
    mkdirSync(join(this.folder, "bin"));
    const stub = (name: string, text: string) => {
      writeFileSync(join(this.folder, "bin", name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(this.folder, "bin", name), 0o755);
    };
    stub("sluice", `exec ${SLUICE} "$@"`);
    stub("systemctl", 'echo "stopped $2"');
    const old = join(ROOT, "test/data/migrate/cilium-v1.yaml");
    stub("kubectl", `case $1 in get) cat ${old} ;; apply) echo "$(grep -c '^kind: Custom') applied" ;; esac`);
  }

  /** The words by which a line is typed on a node. */
  typed(name: NodeName, line: string): string[] {
    const set = [
      `mount --bind ${this.folder}/run-${name} /run`,
      `mount --bind ${this.folder}/manifests /etc/sluice`,
      `cd ${this.folder}`,
      `export PATH=${this.folder}/bin:$PATH`,
      'exec bash -o pipefail -c "$1"',
    ];
    return ["unshare", "--mount", "bash", "-euc", set.join("\n"), "bash", line];
  }

  node(name: NodeName): Namespace {
    return this.#nodes.get(name)!;
  }

  start(name: NodeName, line: string): LabProcess {
    return this.node(name).start("typed", this.typed(name, line));
  }

  close(): void {
    if (this.#madeFolder) rmdirSync("/etc/sluice");
  }

  async #startGateway(name: NodeName): Promise<void> {
    const more = `--cluster-secret ${this.folder}/secret --fleet --flows 65536`;
    const gateway = this.start(name, `sluice run -f /etc/sluice --node ${name} --uplink eth0 ${more}`);
    const inForce = () => gateway.exit() !== null || gateway.log().includes("configuration in force");
    await waitFor(`${name} to serve`, inForce, { timeoutSeconds: 40, seen: () => gateway.log().slice(-2000) });
    if (gateway.exit() !== null) throw new Error(`sluice run ended at once: ${gateway.log()}`);
  }
}

const MOVED = `apiVersion: cilium.io/v2
kind: CiliumLoadBalancerIPPool
metadata: {name: routed}
spec:
  blocks: [{cidr: 192.168.10.200/32}]
  serviceSelector: {matchLabels: {announce: bgp}}
`;
