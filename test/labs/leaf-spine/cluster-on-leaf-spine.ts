/** The leaf-spine network with a cluster on its machines, and the words in which its stops speak of both. */
import { type Family, inFamily, urlOf } from "../../lab/both-families.ts";
import { Cluster } from "../../lab/cluster.ts";
import { curl } from "../../lab/curl.ts";
import { type KernelRoute, kernelRoute } from "../../lab/kernel-routes.ts";
import { Lab } from "../../lab/lab.ts";
import { type LeafSpine, leafSpine } from "../../lab/leaf-spine.ts";
import type { Namespace } from "../../lab/namespace.ts";
import type { Router } from "../../lab/router.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { type LabOptions, pasteable, type StandingLab } from "../document-lab.ts";
import { nameOf, type Tour } from "../tour.ts";

/** Who is behind the devices of the routers. */
const BEHIND: Record<string, Record<string, string>> = {
  leaf01: { eth2: "spine01", eth3: "spine02" },
  leaf02: { eth2: "spine01", eth3: "spine02" },
  spine01: { eth1: "leaf01", eth2: "leaf02" },
  spine02: { eth2: "leaf01", eth3: "leaf02" },
};

export const RACKS = [
  { leaf: "leaf01", rack: "rack0", nodes: ["10.0.5.11", "10.0.5.12"] },
  { leaf: "leaf02", rack: "rack1", nodes: ["10.0.10.11", "10.0.10.12"] },
] as const;

export class ClusterOnLeafSpine implements StandingLab {
  readonly lab: Lab;
  readonly network: LeafSpine;
  readonly cluster: Cluster;
  readonly options: LabOptions;

  private constructor(lab: Lab, network: LeafSpine, cluster: Cluster, options: LabOptions) {
    this.lab = lab;
    this.network = network;
    this.cluster = cluster;
    this.options = options;
  }

  /** Network, API server, and Sluice on every node; no policy, no pool and no Service yet. */
  static async build(prefix: string, options: LabOptions): Promise<ClusterOnLeafSpine> {
    const lab = new Lab(prefix);
    try {
      const network = await leafSpine(lab, options.router);
      const machines = network.nodes.map((node) => ({ ...node, labels: { rack: node.rack } }));
      const words = options.datapath === null ? [] : ["--datapath", options.datapath];
      const cluster = await Cluster.start(lab, machines, { family: options.family, arguments: words });
      await cluster.startSluiceEverywhere();
      return new ClusterOnLeafSpine(lab, network, cluster, options);
    } catch (error) {
      lab.close();
      throw error;
    }
  }

  get family(): Family {
    return this.options.family;
  }

  /** An address or prefix of the plan in the lab's family. */
  at(address: string): string {
    return inFamily(address, this.family);
  }

  /** The flag that tells `ip` the lab's family. */
  get ip(): string {
    return this.family === "ipv4" ? "ip" : "ip -6";
  }

  /** The kernel's route of a router to a host or prefix of the plan, when there is one. */
  route(router: Router, prefix: string): KernelRoute | undefined {
    return kernelRoute(router.namespace, this.at(prefix), this.family);
  }

  /** Who a route leads to: the address of a node, or the router behind the device. */
  wayOf(router: Router, route: KernelRoute | undefined): string[] {
    const behind = BEHIND[nameOf(router.namespace)]!;
    return (route?.ways ?? []).map(({ gateway, device }) => behind[device] ?? gateway ?? device);
  }

  /** Applies a manifest and shows it as typed. */
  apply(tour: Tour, path: string): void {
    tour.show("server", `kubectl apply -f ${path.split("/").at(-1)}`, this.cluster.apply(path));
  }

  kubectl(tour: Tour, command: string, mostLines?: number): string {
    const answer = this.cluster.server.answer(...command.split(" "));
    tour.show("server", `kubectl ${command}`, answer, mostLines);
    return answer;
  }

  /** Sets `bpf-lb-mode` in cilium-config; resolves when the nodes forward so. */
  async useForwarding(tour: Tour, mode: "dsr" | "snat"): Promise<void> {
    const patch = `{"data":{"bpf-lb-mode":"${mode}"}}`;
    const words = ["-n", "kube-system", "patch", "cm", "cilium-config", "--type", "merge", "-p", patch];
    tour.show("server", pasteable(["kubectl", ...words]), this.cluster.server.kubectl(...words));
    const said = mode === "dsr" ? "direct server return" : "translated";
    const explained = (node: string) => this.cluster.gateway(node).ask("explain", "service", "default/nginx-service");
    for (const { name } of this.network.nodes) {
      await waitFor(`${name} to forward by ${mode}`, () => explained(name).includes(said), {
        timeoutSeconds: 20,
        seen: () => explained(name),
      });
    }
  }

  /** Requests one after another; the body of each, or curl's complaint. */
  curls(from: Namespace, address: string, count: number): { readonly bodies: string[]; readonly errors: string[] } {
    const answers = Array.from({ length: count }, () => curl(from, urlOf(address)));
    return {
      bodies: answers.filter(({ exitCode }) => exitCode === 0).map(({ body }) => body),
      errors: answers.map(({ error }) => error).filter(Boolean),
    };
  }

  /** Resolves when a router's kernel has a route to an address of the plan. */
  async untilRouted(router: Router, prefix: string): Promise<void> {
    await waitFor(`${nameOf(router.namespace)}'s route to ${prefix}`, () => this.route(router, prefix) !== undefined, {
      timeoutSeconds: 30,
      seen: () => router.namespace.run(["ip", "route"]),
    });
  }

  lookAround(): (readonly [string, string])[] {
    const { leaf01, client } = this.network;
    const gateway = this.cluster.gateway("rack0-a");
    return [
      ["kubectl", `export KUBECONFIG=${this.cluster.server.kubeconfig}; kubectl get nodes,pods,services -o wide`],
      ["a shell on the client", pasteable(client.entered(["bash"]))],
      ["a shell on a node", pasteable(this.cluster.machine("rack0-a").namespace.entered(["bash"]))],
      ["leaf01's sessions", pasteable(leaf01.sessionsCommand())],
      ["leaf01's routes", pasteable(leaf01.namespace.entered(["ip", "route"]))],
      ["what Sluice does on rack0-a", `bin/sluice status --socket ${gateway.socket}`],
      ["why a Service is where it is", `bin/sluice explain service default/nginx-service --socket ${gateway.socket}`],
    ];
  }

  async close(): Promise<void> {
    this.lab.close();
    await this.cluster.close();
  }
}
