/**
 * The scheduler and the kubelets of a lab: what the API server says of pods becomes namespaces with an nginx in them, and
 * what becomes of those is told to the API server. Which pods there should be, and which of them are endpoints, is the
 * business of Kubernetes' own controllers.
 *
 *      Pod, pending --bind--> Pod on a node --namespace, address, nginx--> Pod, Ready
 *      Pod, deleted --a while for the word to spread, nginx ends--> gone
 *
 * Any image is nginx.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ApiConnection } from "../../src/kubernetes/api-connection.ts";
import { ObjectWatch, type StoredObject, type WatchedKind } from "../../src/kubernetes/object-watch.ts";
import { type Family, inFamily, toIpv6 } from "./both-families.ts";
import { podNamespace } from "./dual-stack-host.ts";
import type { Lab } from "./lab.ts";
import type { RackNode } from "./leaf-spine.ts";
import type { Namespace } from "./namespace.ts";
import { Nginx } from "./nginx.ts";

/** The first address that is given on a node; the documents' pod is at .134. */
const FIRST_HOST = 134;
/** How long a pod that is to end still serves, as a preStop hook makes it: until all that send to it have heard of it. */
const GRACE_MILLISECONDS = 2_000;

const PODS: WatchedKind = {
  kind: "Pod",
  apiVersions: ["v1"],
  plural: "pods",
  namespace: "default",
  fieldSelector: null,
};

const CONTAINERS = [{ name: "nginx", ready: true, restartCount: 0, image: "nginx:latest", imageID: "" }];

type LabMachine = Pick<RackNode, "name" | "namespace" | "podCidr">;

export interface RunningPod {
  readonly name: string;
  readonly node: string;
  /** In the lab's family. */
  readonly address: string;
  readonly namespace: Namespace;
  readonly nginx: Nginx;
}

interface PodObject extends StoredObject {
  readonly metadata: StoredObject["metadata"] & { readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
}

export class Kubelet {
  readonly #lab: Lab;
  readonly #api: ApiConnection;
  readonly #nodes: readonly LabMachine[];
  readonly #family: Family;
  readonly #running = new Map<string, RunningPod>();
  /** What is under way for a pod, by its name: no step is begun twice. */
  readonly #steps = new Map<string, "bind" | "start" | "end">();
  /** How many addresses were given on each node, and how many pods are bound to it. */
  readonly #given = new Map<string, number>();
  readonly #bound = new Map<string, number>();
  readonly #cordoned = new Set<string>();
  readonly #watch: ObjectWatch;
  /** What went wrong in the background; a lab that sees one is broken. */
  readonly faults: string[] = [];

  constructor(lab: Lab, kubeconfig: string, nodes: readonly LabMachine[], family: Family) {
    this.#lab = lab;
    this.#api = new ApiConnection(kubeconfig);
    this.#nodes = nodes;
    this.#family = family;
    for (const { namespace, podCidr } of nodes) namespace.ip(`addr add ${gatewayOf(podCidr)}/32 dev lo`);
    this.#watch = new ObjectWatch(this.#api, PODS, {
      replaceAll: (_kind, objects) => {
        for (const object of objects) this.#look(object as PodObject);
      },
      put: (_kind, object) => this.#look(object as PodObject),
      remove: () => {},
      fault: () => {},
    });
  }

  /** Pods that are ready, by name. */
  pods(): RunningPod[] {
    return [...this.#running.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  close(): Promise<void> {
    return this.#watch.close();
  }

  #look(pod: PodObject): void {
    const { name, deletionTimestamp } = pod.metadata;
    const step = this.#steps.get(name);
    if (deletionTimestamp !== undefined) {
      if (step !== "end") this.#do(name, "end", () => this.#end(name, pod.spec.nodeName));
    } else if (pod.spec.nodeName === undefined) {
      if (step === undefined) this.#do(name, "bind", () => this.#bind(name));
    } else if (step === undefined || step === "bind") {
      this.#do(name, "start", () => this.#start(name, pod.spec.nodeName!));
    }
  }

  #do(name: string, step: "bind" | "start" | "end", act: () => Promise<void>): void {
    this.#steps.set(name, step);
    act().catch((error: Error) => this.faults.push(`${step} ${name}: ${error.message}`));
  }

  /** Whether new pods may come to a node, as `kubectl cordon` and `uncordon` say it. */
  setSchedulable(node: string, schedulable: boolean): void {
    if (schedulable) this.#cordoned.delete(node);
    else this.#cordoned.add(node);
  }

  /** To the node with the fewest pods, the first of several. */
  async #bind(name: string): Promise<void> {
    const nodes = this.#nodes.filter((node) => !this.#cordoned.has(node.name));
    const counts = nodes.map((node) => this.#bound.get(node.name) ?? 0);
    const node = nodes[counts.indexOf(Math.min(...counts))]!;
    this.#bound.set(node.name, (this.#bound.get(node.name) ?? 0) + 1);
    const target = { apiVersion: "v1", kind: "Node", name: node.name };
    await this.#api.create(`${path(name)}/binding`, {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, namespace: "default" },
      target,
    });
  }

  async #start(name: string, nodeName: string): Promise<void> {
    const node = this.#nodes.find((one) => one.name === nodeName);
    if (node === undefined) throw new Error(`there is no node ${nodeName}`);
    const number = FIRST_HOST + (this.#given.get(nodeName) ?? 0);
    this.#given.set(nodeName, number - FIRST_HOST + 1);
    const ipv4 = node.podCidr.replace(/\d+\/\d+$/, `${number}`);
    const gateway4 = gatewayOf(node.podCidr);
    const place = { name, device: `lxc${number}`, ipv4, ipv6: toIpv6(ipv4), gateway4 };
    const namespace = podNamespace(this.#lab, node.namespace, place);
    const nginx = await Nginx.start(namespace, name, `${this.#lab.folder}/${name}`);
    const address = inFamily(ipv4, this.#family);
    const now = new Date().toISOString();
    const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
      type,
      status: "True",
      lastTransitionTime: now,
    }));
    const addresses = this.#family === "ipv4" ? [ipv4, toIpv6(ipv4)] : [toIpv6(ipv4), ipv4];
    const podIPs = addresses.map((ip) => ({ ip }));
    await this.#api.patch(`${path(name)}/status`, {
      status: { phase: "Running", podIP: address, podIPs, conditions, containerStatuses: CONTAINERS, startTime: now },
    });
    this.#running.set(name, { name, node: nodeName, address, namespace, nginx });
  }

  async #end(name: string, nodeName: string | undefined): Promise<void> {
    const pod = this.#running.get(name);
    pod?.nginx.sayGoodbye();
    await sleep(GRACE_MILLISECONDS);
    this.#running.delete(name);
    await pod?.nginx.stop();
    await this.#api.remove(`${path(name)}?gracePeriodSeconds=0`);
    if (pod !== undefined) this.#lab.removeNamespace(pod.namespace);
    if (nodeName !== undefined) this.#bound.set(nodeName, this.#bound.get(nodeName)! - 1);
  }
}

function path(pod: string): string {
  return `/api/v1/namespaces/default/pods/${pod}`;
}

function gatewayOf(podCidr: string): string {
  return podCidr.replace(/\d+\/\d+$/, "1");
}
