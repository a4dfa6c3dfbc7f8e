/** Seed A with a second Service, default/canary, and a gateway whose policies come and go as files beside its manifests. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FlowStatus } from "../../src/agent/flow-list.ts";
import type { PolicyStatus } from "../../src/agent/node-policies.ts";
import { Configuration } from "./configuration.ts";
import { Gateway } from "./gateway.ts";
import { Lab } from "./lab.ts";
import { CLIENT_ADDRESS, isVipRouted, type SeedA, type SeedAOptions, seedA, VIP } from "./seed-a.ts";
import { waitFor } from "./wait-for.ts";

export const CANARY_VIP = "192.168.10.101";
/** A second address of the client. */
export const OTHER_CLIENT = "203.0.113.11";

const CANARY = `
apiVersion: cilium.io/v2alpha1
kind: CiliumLoadBalancerIPPool
metadata: {name: canary-pool}
spec:
  blocks: [{cidr: ${CANARY_VIP}/32}]
---
apiVersion: v1
kind: Service
metadata: {name: canary, namespace: default, labels: {bgp-advertise: "true"}}
spec:
  type: LoadBalancer
  ports: [{protocol: TCP, port: 80, targetPort: 80}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: canary-1, namespace: default, labels: {kubernetes.io/service-name: canary}}
addressType: IPv4
endpoints:
  - {addresses: ["10.2.3.6"], nodeName: node1, conditions: {ready: true}}
ports: [{name: "", port: 80, protocol: TCP}]
`;

export class PolicyLab {
  readonly lab: Lab;
  readonly network: SeedA;
  readonly configuration: Configuration;
  readonly gateway: Gateway;

  /** @param prefix of the namespaces. */
  static async start(prefix: string, options: SeedAOptions = {}): Promise<PolicyLab> {
    const lab = new Lab(prefix);
    try {
      const network = await seedA(lab, options);
      network.client.ip(`addr add ${OTHER_CLIENT}/24 dev eth0`);
      const configuration = new Configuration(lab, "seed-a");
      configuration.write("canary.yaml", CANARY);
      const place = { configuration: configuration.folder, node: "node1", uplink: "net0" };
      const gateway = await Gateway.start(lab, network.node, place);
      await waitFor("the routes", () => isVipRouted(network) && isRouted(network, CANARY_VIP), { timeoutSeconds: 30 });
      return new PolicyLab(lab, network, configuration, gateway);
    } catch (error) {
      lab.close();
      throw error;
    }
  }

  private constructor(lab: Lab, network: SeedA, configuration: Configuration, gateway: Gateway) {
    this.lab = lab;
    this.network = network;
    this.configuration = configuration;
    this.gateway = gateway;
  }

  policies(): Promise<PolicyStatus[]> {
    return this.gateway.read("/v1/policies");
  }

  flows(): Promise<FlowStatus[]> {
    return this.gateway.read("/v1/flows");
  }

  /** Which pod answers a client; `""` when none does. */
  ask(client = CLIENT_ADDRESS, vip = VIP): string {
    const command = ["curl", "-sS", "--max-time", "1", "--interface", client, `http://${vip}/`];
    return this.network.client.try(command).stdout.trim();
  }

  /** Which pods answer ten connections of a client. */
  answers(client?: string): Set<string> {
    return new Set(Array.from({ length: 10 }, () => this.ask(client)));
  }

  /** Writes a module beside the manifests; `body` is that of its `onNewFlow`. */
  write(name: string, body: string, version = "1"): void {
    const text = `import { Allow, Continue, definePolicy } from "sluice/policy";
      export default definePolicy({ version: "${version}", create: () => ({ onNewFlow(flow) { ${body} } }) });`;
    writeFileSync(join(this.configuration.folder, `${name}.ts`), text);
  }

  /** Puts a module to work for default/my-service alone, and waits until it is in force. */
  async deploy(name: string, module: string, more = ""): Promise<void> {
    const manifest = `apiVersion: sluice.dev/v1alpha1\nkind: SluicePolicy\nmetadata: {name: ${name}}\nspec:\n  module: ${module}\n`;
    const service = "{io.kubernetes.service.namespace: default, io.kubernetes.service.name: my-service}";
    this.configuration.write(`${name}.yaml`, `${manifest}  serviceSelector: {matchLabels: ${service}}\n${more}`);
    await waitFor(name, async () => (await this.policies()).some((one) => one.name === name && one.version !== null));
  }

  async remove(name: string): Promise<void> {
    this.configuration.remove(`${name}.yaml`);
    await waitFor("its end", async () => (await this.policies()).every((one) => one.name !== name));
  }

  close(): void {
    this.lab.close();
  }
}

function isRouted({ router }: SeedA, vip: string): boolean {
  return router.run(["ip", "route", "show", vip]).trim() !== "";
}
