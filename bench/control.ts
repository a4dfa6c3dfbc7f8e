/**
 * `npm run bench -- control`: the control plane at scale, against a real API server, a real FRR and the whole gateway.
 *
 * Measured: from the start of the gateway with SERVICES Services of ten endpoints each in the cluster to the last one
 * allocated, to the last one announced to FRR, and to the epoch with all in the workers; from the write of one endpoint
 * to the epoch that forwards by it; resident memory; API requests per minute at rest, with ten Services and with all.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { clusterNode, ipPool, peeringPolicy } from "../test/fixtures/kubernetes-objects.ts";
import { ApiServer } from "../test/kubernetes/fixtures/api-server.ts";
import { SLUICE } from "../test/lab/gateway.ts";
import { Lab } from "../test/lab/lab.ts";
import type { LabProcess } from "../test/lab/process.ts";
import { NODE_ADDRESS, outside, ROUTER_ADDRESS } from "../test/lab/seed-a.ts";
import { waitFor } from "../test/lab/wait-for.ts";
import { median, saveResults } from "./results.ts";

const SERVICES = Number(process.env["SLUICE_BENCH_SERVICES"] ?? 10_000);
const CHANGES = Number(process.env["SLUICE_BENCH_CHANGES"] ?? 20);
const REST_SECONDS = Number(process.env["SLUICE_BENCH_REST_SECONDS"] ?? 60);
const PATIENCE = { timeoutSeconds: 600, everyMilliseconds: 200 };

interface InForce {
  readonly time: number;
  readonly epoch: number;
  readonly vips: number;
}

const lab = new Lab("slk");
const { node, frr } = await outside(lab, {});
const server = await ApiServer.start({ within: node });
const socket = join(lab.folder, "node1.sock");
let loader: ChildProcess | null = null;

try {
  const { status, ...object } = clusterNode("node1", NODE_ADDRESS);
  server.apply(object, ipPool("pool", ["20.0.0.0/16"]));
  server.setStatus("node", "node1", status);
  const neighbors = [{ peerAddress: `${ROUTER_ADDRESS}/32`, peerASN: 65001 }];
  server.apply(peeringPolicy("policy", { neighbors, serviceSelector: { matchLabels: { "bgp-advertise": "true" } } }));
  const [program, ...words] = node.entered([process.execPath, "bench/control/load-cluster.ts", server.kubeconfig]);
  loader = spawn(program!, words, { stdio: ["pipe", "pipe", "inherit"] });

  await ask("create 0 10");
  const few = startSluice("few");
  await waitFor("ten routes", () => prefixes() === 10, PATIENCE);
  const restWithFew = await requestsAtRest();
  await few.stop("SIGTERM");

  console.log(`creating ${SERVICES} Services`);
  await ask(`create 10 ${SERVICES}`);
  const startedAt = Date.now();
  const sluice = startSluice("many");
  await waitFor("all addresses", () => allocated() === SERVICES, { ...PATIENCE, everyMilliseconds: 1000 });
  const allocatedAt = Date.now();
  await waitFor("all routes", () => prefixes() === SERVICES, PATIENCE);
  const announcedAt = Date.now();
  const servedAt = inForce(sluice).find(({ vips }) => vips === SERVICES)!.time;
  console.log(
    `cold: allocated ${allocatedAt - startedAt}, served ${servedAt - startedAt}, announced ${announcedAt - startedAt} ms`,
  );

  const restWithMany = await requestsAtRest();
  const times = JSON.parse(await ask(`flip 5 ${CHANGES}`)) as number[];
  const epochs = inForce(sluice).map(({ time }) => time);
  const changes = times.map((time) => epochs.find((epoch) => epoch > time)! - time).sort((a, b) => a - b);
  console.log(
    `endpoint change: p50 ${median(changes)}, p99 ${changes.at(-1)} ms; rest ${restWithFew} and ${restWithMany} requests/min`,
  );
  const row = (metric: string, unit: string, ...values: number[]) => ({
    what: `${SERVICES} Services`,
    metric,
    unit,
    values,
  });
  saveResults(
    "control",
    [
      row("cold to allocated", "ms", allocatedAt - startedAt),
      row("cold to served", "ms", servedAt - startedAt),
      row("cold to announced", "ms", announcedAt - startedAt),
      row("endpoint change to forwarding", "ms", ...changes),
      row("endpoint change to forwarding, p99", "ms", changes.at(-1)!),
      row("resident memory", "MB", residentMegabytes(sluice.pid)),
      row("API requests at rest with 10", "1/min", restWithFew),
      row("API requests at rest", "1/min", restWithMany),
    ],
    { "requests at rest, all/ten": restWithMany / restWithFew },
  );
} finally {
  loader?.kill();
  await lab.close();
  await server.close();
}

function startSluice(name: string): LabProcess {
  const where = ["--node", "node1", "--uplink", "net0", "--socket", socket];
  const cluster = ["--kubernetes", "--kubeconfig", server.kubeconfig, "--state", join(lab.folder, "state.json")];
  return node.start(name, [SLUICE, "run", ...cluster, ...where]);
}

async function ask(line: string): Promise<string> {
  const answer = once(createInterface(loader!.stdout!), "line") as Promise<[string]>;
  const gone = once(loader!, "exit").then(() => {
    throw new Error("bench/control/load-cluster.ts has ended");
  });
  loader!.stdin!.write(`${line}\n`);
  return (await Promise.race([answer, gone]))[0];
}

/** What the gateway logged of every change that it carried out. */
function inForce(sluice: LabProcess): InForce[] {
  return sluice
    .log()
    .split("\n")
    .filter((line) => line.includes("configuration in force"))
    .map((line) => JSON.parse(line) as InForce);
}

function prefixes(): number {
  type Summary = { ipv4Unicast?: { peers?: Record<string, { pfxRcd?: number }> } };
  return frr.vtyshJson<Summary>("show bgp summary json").ipv4Unicast?.peers?.[NODE_ADDRESS]?.pfxRcd ?? 0;
}

function allocated(): number {
  const paths = "{range .items[*]}{.status.loadBalancer.ingress[0].ip}{'\\n'}{end}";
  return server.kubectl("get", "svc", "-n", "default", "-o", `jsonpath=${paths}`).split("\n").filter(Boolean).length;
}

async function requestsAtRest(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  const before = requests();
  await new Promise((resolve) => setTimeout(resolve, REST_SECONDS * 1000));
  return ((requests() - before) * 60) / REST_SECONDS;
}

function requests(): number {
  const text = node.run([SLUICE, "status", "-o", "json", "--socket", socket]);
  return (JSON.parse(text) as { kubernetes: { requests: number } }).kubernetes.requests;
}

function residentMegabytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
}
