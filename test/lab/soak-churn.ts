/**
 * What an operator and a cluster change while traffic goes on, all of it every second: Services come and go, endpoints are
 * drained and come back, pools, policies and BGP peers change. Nothing of it takes a backend away under a request.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { listFar1, type TwoNodes } from "./two-nodes.ts";

const SERVICES = 5;
const CHURNED = ["churn-services.yaml", "churn-pool.yaml", "churn-policy.yaml"];
const PEERING = "churn-peering.yaml";

export class SoakChurn {
  readonly #network: TwoNodes;
  #turn = 0;

  constructor(network: TwoNodes) {
    this.#network = network;
    this.#write(PEERING, peering(["10.1.1.1"]));
  }

  /** One second's changes. */
  step(): void {
    const turn = this.#turn++;
    const isOdd = turn % 2 === 1;
    this.#write(
      "churn-services.yaml",
      Array.from({ length: SERVICES }, (_, index) => service(turn, index)).join("---\n"),
    );
    listFar1(this.#network, isOdd ? "ready" : "draining");
    this.#write("churn-pool.yaml", pool(turn));
    const module = `churn-${turn % 3}.ts`;
    writeFileSync(join(this.#network.configuration.folder, module), policyModule(turn));
    this.#write("churn-policy.yaml", policy(module));
    // The second one answers nobody.
    this.#write(PEERING, peering(isOdd ? ["10.1.1.1"] : ["10.1.1.1", "10.1.1.99"]));
  }

  /** Everything as it was before the first step. */
  restore(): void {
    listFar1(this.#network, "ready");
    this.#write(PEERING, peering(["10.1.1.1"]));
    if (this.#turn > 0) for (const file of CHURNED) this.#network.configuration.remove(file);
    this.#turn = 0;
  }

  #write(file: string, text: string): void {
    this.#network.configuration.write(file, text);
  }
}

/** Of names that are new each second, with other endpoints each time. */
function service(turn: number, index: number): string {
  const name = `churn-${turn % 7}-${index}`;
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  ipFamilies: [IPv4, IPv6]
  ports: [{name: http, protocol: TCP, port: ${8000 + index}}]
---
${[
  { family: "IPv4", address: `10.2.${1 + (turn % 2)}.${5 + (turn % 50)}` },
  { family: "IPv6", address: `fd00:2:${1 + (turn % 2)}::${5 + (turn % 50)}` },
]
  .map(
    ({ family, address }) => `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-${family.toLowerCase()}, namespace: default, labels: {kubernetes.io/service-name: ${name}}}
addressType: ${family}
endpoints: [{addresses: ["${address}"], nodeName: node${1 + (turn % 2)}, conditions: {ready: true}}]
ports: [{name: http, port: 80, protocol: TCP}]
`,
  )
  .join("---\n")}`;
}

function pool(turn: number): string {
  return `apiVersion: cilium.io/v2alpha1
kind: CiliumLoadBalancerIPPool
metadata: {name: churn-${turn % 5}}
spec: {blocks: [{cidr: "198.18.${turn % 200}.0/24"}], serviceSelector: {matchLabels: {nobody: has-this}}}
`;
}

function policyModule(turn: number): string {
  return `import { Continue, definePolicy } from "sluice/policy";
export default definePolicy({ version: "${turn}", create: () => ({ onNewFlow() { return Continue; } }) });
`;
}

function policy(module: string): string {
  return `apiVersion: sluice.dev/v1alpha1
kind: SluicePolicy
metadata: {name: churn}
spec: {module: ./${module}}
`;
}

function peering(peers: readonly string[]): string {
  const neighbor = (address: string) => `{peerAddress: "${address}/32", peerASN: 65001, connectRetryTimeSeconds: 1}`;
  return `apiVersion: cilium.io/v2alpha1
kind: CiliumBGPPeeringPolicy
metadata: {name: churn}
spec:
  virtualRouters:
    - localASN: 65000
      neighbors: [${peers.map(neighbor).join(", ")}]
      serviceSelector: {matchExpressions: [{key: never, operator: NotIn, values: [this]}]}
`;
}
