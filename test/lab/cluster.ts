/**
 * A cluster on the machines of a lab: a real API server with the controllers of Kubernetes, Sluice on every machine under
 * its own service account as the DaemonSet runs it, and pods (kubelet.ts).
 *
 *   kubectl, kubelets --> API server on the host's loopback
 *                            | unix socket
 *   node namespace:  Sluice -+-> door on the node's loopback
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GatewayStatus } from "../../src/agent/status.ts";
import { ask } from "../../src/api/client.ts";
import { ApiServer } from "../kubernetes/fixtures/api-server.ts";
import { openDoors } from "./api-doors.ts";
import { type Family, inFamily, manifestInFamily, toIpv6 } from "./both-families.ts";
import { Gateway } from "./gateway.ts";
import { Kubelet, type RunningPod } from "./kubelet.ts";
import type { Lab } from "./lab.ts";
import type { RackNode } from "./leaf-spine.ts";
import { waitFor } from "./wait-for.ts";

const RBAC = join(import.meta.dirname, "../../deploy/base/rbac.yaml");
const MANIFESTS = join(import.meta.dirname, "../data/manifests");

/** A machine of the cluster; its interface to the network is net0. */
export type Machine = Pick<RackNode, "name" | "address" | "podCidr" | "namespace"> & {
  readonly labels?: Readonly<Record<string, string>>;
};

const PATIENCE = { timeoutSeconds: 30 };

export interface ClusterOptions {
  readonly family: Family;
  /** Words for every `sluice run`. */
  readonly arguments: readonly string[];
}

export class Cluster {
  readonly server: ApiServer;
  readonly #lab: Lab;
  readonly #machines: readonly Machine[];
  readonly #options: ClusterOptions;
  readonly #kubelet: Kubelet;
  readonly #gateways = new Map<string, Gateway>();
  readonly #ready = new Set<string>();
  #kubeconfig = "";

  private constructor(lab: Lab, server: ApiServer, machines: readonly Machine[], options: ClusterOptions) {
    this.#lab = lab;
    this.server = server;
    this.#machines = machines;
    this.#options = options;
    this.#kubelet = new Kubelet(lab, server.kubeconfig, machines, options.family);
  }

  /** Resolves when the nodes are known to the API server; Sluice does not run yet. */
  static async start(lab: Lab, machines: readonly Machine[], options: ClusterOptions): Promise<Cluster> {
    const server = await ApiServer.start({ flags: ["--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112"] });
    const cluster = new Cluster(lab, server, machines, options);
    lab.onClose(() => server.end());
    server.kubectl("apply", "-f", RBAC);
    cluster.#kubeconfig = server.accountKubeconfig("sluice");
    writeFileSync(cluster.#secretFile, "a secret that all nodes of the lab share\n", { mode: 0o600 });
    await openDoors(
      lab,
      server.port,
      machines.map(({ namespace }) => namespace),
    );
    for (const machine of machines) cluster.#addNode(machine);
    return cluster;
  }

  /** Starts Sluice on a machine, as a DaemonSet's pod starts; resolves when it answers. */
  async startSluice(node: string): Promise<Gateway> {
    const { namespace } = this.machine(node);
    const state = join(this.#lab.folder, `${node}-state.json`);
    const gateway = await Gateway.start(this.#lab, namespace, {
      cluster: ["--kubernetes", "--kubeconfig", this.#kubeconfig, "--state", state],
      node,
      uplink: "net0",
      arguments: [
        ...["--cluster-secret", this.#secretFile, "--keep-flows", "--goodbye", "graceful"],
        ...this.#options.arguments,
      ],
    });
    this.#gateways.set(node, gateway);
    return gateway;
  }

  async startSluiceEverywhere(): Promise<void> {
    await Promise.all(this.#machines.map(({ name }) => this.startSluice(name)));
    for (const { name } of this.#machines) this.#ready.add(name);
    this.tellGateway(this.#machines[0]!.name, true);
  }

  gateway(node: string): Gateway {
    const found = this.#gateways.get(node);
    if (found === undefined) throw new Error(`Sluice was not started on ${node}`);
    return found;
  }

  machine(node: string): Machine {
    const found = this.#machines.find(({ name }) => name === node);
    if (found === undefined) throw new Error(`there is no machine ${node}`);
    return found;
  }

  /** Applies a manifest of test/data/manifests, in the lab's family; what kubectl says. */
  apply(path: string): string {
    return this.server.apply(this.manifest(path));
  }

  manifest(path: string): string {
    return manifestInFamily(readFileSync(join(MANIFESTS, path), "utf8"), this.#options.family);
  }

  /** EXTERNAL-IP, or `null` while it is pending. */
  externalIp(service: string): string | null {
    const path = "jsonpath={.status.loadBalancer.ingress[0].ip}";
    return this.server.kubectl("get", "service", service, "-o", path).trim() || null;
  }

  /**
   * What the kubelet and the controllers say of the gateways' own pods: one that is to end serves on until it is drained
   * and its probe says so, or until its container has ended (KEP-1669).
   */
  tellGateway(node: string, ready: boolean): void {
    if (ready) this.#ready.add(node);
    else this.#ready.delete(node);
    const of = (name: string) => this.#machines.find((machine) => machine.name === name)!.address;
    this.server.apply({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        ...{ name: "sluice-gateways-lab", namespace: "kube-system" },
        labels: { "kubernetes.io/service-name": "sluice-gateways", "sluice.dev/gateways": "" },
      },
      addressType: "IPv4",
      endpoints: [...this.#gateways.keys()].map((name) => ({
        ...{ addresses: [of(name)], nodeName: name },
        conditions: { ready: this.#ready.has(name) },
      })),
      ports: [],
    });
  }

  setSchedulable(node: string, schedulable: boolean): void {
    this.#kubelet.setSchedulable(node, schedulable);
  }

  pods(): RunningPod[] {
    return this.#kubelet.pods();
  }

  /** Resolves when as many pods are ready, and every gateway sends to all of them and to no other. */
  async untilPods(count: number): Promise<void> {
    const ready = () => {
      if (this.#kubelet.faults.length > 0) throw new Error(this.#kubelet.faults.join("; "));
      return this.pods().length === count;
    };
    await waitFor(`${count} pods`, ready, { timeoutSeconds: 60, seen: () => this.pods().map(({ name }) => name) });
    const backends = async () => {
      const running = [...this.#gateways.values()].filter(({ process }) => process.exit() === null);
      const all = await Promise.all(running.map(({ socket }) => ask<GatewayStatus>(socket, "/v1/status")));
      return all.flatMap(({ services }) => services.map(({ backends, draining }) => [...backends, ...draining]));
    };
    await waitFor(
      "every node to know them",
      async () => (await backends()).every((one) => one.length === count),
      PATIENCE,
    );
  }

  async close(): Promise<void> {
    await this.#kubelet.close();
    await this.server.close();
  }

  get #secretFile(): string {
    return join(this.#lab.folder, "cluster-secret");
  }

  #addNode({ name, address, podCidr, labels }: Machine): void {
    const { family } = this.#options;
    const podCIDRs = [inFamily(podCidr, family)];
    const metadata = { name, labels };
    this.server.apply({ apiVersion: "v1", kind: "Node", metadata, spec: { podCIDR: podCIDRs[0], podCIDRs } });
    const own = family === "ipv4" ? [address] : [toIpv6(address), address];
    const addresses = own.map((one) => ({ type: "InternalIP", address: one }));
    const conditions = [{ type: "Ready", status: "True" }];
    this.server.setStatus("node", name, { addresses, conditions });
  }
}
