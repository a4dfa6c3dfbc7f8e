/** Sluice itself in a benchmark's namespace, serving one Service, started so that its garbage collections can be counted. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import type { DatapathMode } from "../../src/agent/run-options.ts";
import type { GatewayStatus } from "../../src/agent/status.ts";
import { BACKEND, VIP } from "../../test/fixtures/gateway.ts";
import { Gateway, SLUICE } from "../../test/lab/gateway.ts";
import type { Lab } from "../../test/lab/lab.ts";
import type { Namespace } from "../../test/lab/namespace.ts";
import type { LabProcess } from "../../test/lab/process.ts";
import { waitFor } from "../../test/lab/wait-for.ts";

/** As bin/sluice starts the program; --trace-gc besides. */
const FLAGS = ["--max-inlined-bytecode-size=3000", "--max-inlined-bytecode-size-cumulative=6000", "--trace-gc"];
const PROGRAM = fileURLToPath(new URL("../../dist/program/main.js", import.meta.url));

export interface SluiceOptions {
  readonly datapath: DatapathMode;
  readonly xdpMode: "auto" | "native" | "generic";
  /** Words before the command: `taskset`, say. */
  readonly prefix?: readonly string[];
  readonly flowRows?: number;
  /** Whether it leaves established flows to the kernel when it ends. */
  readonly keepsFlows?: boolean;
  /** Manifests in place of the one Service. */
  readonly manifests?: string;
}

/** Uplink `net0`, inside `lan0`. Resolves when it serves. */
export async function startSluice(lab: Lab, node: Namespace, options: SluiceOptions): Promise<LabProcess> {
  const configuration = join(lab.folder, "bench.yaml");
  writeFileSync(configuration, options.manifests ?? ONE_SERVICE);
  const rows = options.flowRows === undefined ? [] : ["--flows", `${options.flowRows}`];
  const socket = join(lab.folder, "sluice.sock");
  const where = { configuration, node: "node", uplink: "net0", inside: "lan0" };
  const keep = options.keepsFlows ? ["--keep-flows"] : [];
  const modes = ["--datapath", options.datapath, "--xdp-mode", options.xdpMode, ...rows, ...keep];
  const [, ...command] = Gateway.command({ ...where, arguments: modes }, socket);
  const process = node.start("sluice", [...(options.prefix ?? []), execPath, ...FLAGS, PROGRAM, ...command]);
  const serves = () => process.log().includes("datapath ready") && servicesAt(socket) > 0;
  await waitFor("Sluice to serve", () => process.exit() !== null || serves(), {
    seen: () => process.log().slice(-2000),
    timeoutSeconds: 60,
  });
  if (process.exit() !== null) throw new Error(`Sluice has ended: ${process.log().slice(-2000)}`);
  return process;
}

/** How often the garbage collector has run in any of the process's threads. */
export function collectionsOf(process: LabProcess): number {
  return process.log().match(/: (Scavenge|Mark-Compact)/g)?.length ?? 0;
}

function servicesAt(socket: string): number {
  const { stdout, status } = spawnSync(SLUICE, ["status", "-o", "json", "--socket", socket], { encoding: "utf8" });
  return status === 0 ? (JSON.parse(stdout) as GatewayStatus).services.length : 0;
}

/** At the VIP, with one backend. */
export const ONE_SERVICE = `\
apiVersion: v1
kind: Node
metadata: {name: node}
status: {addresses: [{type: InternalIP, address: 10.1.0.1}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Cluster
  ports: [{name: http, port: 80, targetPort: 8080, protocol: TCP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints:
  - addresses: ["${BACKEND}"]
    nodeName: node
    conditions: {ready: true}
ports: [{name: http, port: 8080, protocol: TCP}]
---
apiVersion: cilium.io/v2alpha1
kind: CiliumLoadBalancerIPPool
metadata: {name: pool}
spec: {blocks: [{cidr: ${VIP}/32}]}
`;
