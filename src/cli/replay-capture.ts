/**
 * `sluice replay --pcap IN --config DIR --out OUT`: a capture through the pipeline, with the services of the manifests.
 * Exits with 1 when something given could not be read; the rest is replayed all the same.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { hashKeyOf, readSecret } from "../agent/cluster-secret.ts";
import { loadManifests } from "../config/load-manifests.ts";
import { nodePlan } from "../control/node-plan.ts";
import { plan } from "../control/plan.ts";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import type { Intent } from "../intent/intent.ts";
import { formatProblem } from "../intent/problem.ts";
import { replayPolicies } from "../policy-host/scenario-policies.ts";
import { learnNetwork } from "../replay/capture-network.ts";
import { type CaptureResult, replayCapture } from "../replay/capture-replay.ts";
import { REPLAY_KEY } from "../replay/node-player.ts";
import { CaptureError, type CaptureFile } from "../wire/capture-file.ts";
import { isPcap, readPcap, writePcap } from "../wire/pcap.ts";
import { isPcapng, readPcapng, writePcapng } from "../wire/pcapng.ts";
import { textTable } from "./text-table.ts";

interface ReplayCaptureOptions {
  readonly pcap: string;
  readonly config: readonly string[];
  /** `.pcap` for the classic format, anything else is pcapng. */
  readonly out: string;
  /** The name of the gateway's Node object; needed only where there are several. */
  readonly node: string | null;
  /** With it flows get the backends that they have in the cluster. */
  readonly clusterSecret: string | null;
  readonly output: "table" | "json";
}

export async function runReplayCapture(
  options: ReplayCaptureOptions,
): Promise<{ stdout: string; stderr: string; exitCode: number }> {
  const capture = readCapture(options.pcap);
  const { intent, problems } = await loadManifests(options.config);
  const nodeName = nodeOf(intent, options.node);
  const { forwarding } = nodePlan(intent, plan(intent), nodeName);
  const network = learnNetwork(capture, {
    served: forwarding.owned.map(({ address }) => address),
    backends: forwarding.vips.flatMap(({ backends }) => backends.map(({ address }) => address)),
    own: intent.nodes.find(({ name }) => name === nodeName)?.internalAddresses ?? [],
  });
  // Who answers for an address on a link is settled between running nodes; here it is this one.
  const spec: ForwardingSpec = {
    ...forwarding,
    owned: forwarding.owned.map((owned) => ({ ...owned, answerOn: "all" })),
  };
  const key = options.clusterSecret === null ? REPLAY_KEY : hashKeyOf(readSecret(options.clusterSecret));
  const result = replayCapture(
    capture,
    network,
    spec,
    key,
    await replayPolicies(intent.flowPolicies, intent.policyFiles),
  );
  const names = network.interfaces.map(({ name }) => name);
  writeFileSync(options.out, options.out.endsWith(".pcap") ? writePcap(result.sent) : writePcapng(names, result.sent));

  const errors = problems.filter(({ severity }) => severity === "error").map(formatProblem);
  if (capture.cutShort !== null) errors.push(`${options.pcap}: ${capture.cutShort}; what comes before it is replayed`);
  for (const { packet, verdict, reason } of result.results) {
    if (verdict === "unreadable") errors.push(`${options.pcap}: packet ${packet}: ${reason}`);
  }
  const { results, counters } = result;
  return {
    stdout:
      options.output === "json" ? `${JSON.stringify({ results, counters }, null, 2)}\n` : summary(result, options.out),
    stderr: errors.map((error) => `${error}\n`).join(""),
    exitCode: errors.length > 0 ? 1 : 0,
  };
}

function readCapture(path: string): CaptureFile {
  const file = readFileSync(path);
  try {
    if (isPcap(file)) return readPcap(file);
    if (isPcapng(file)) return readPcapng(file);
  } catch (error) {
    if (error instanceof CaptureError) throw new Error(`${path}: ${error.message}`);
    throw error;
  }
  throw new Error(`${path}: this is neither a pcap nor a pcapng file`);
}

function nodeOf({ nodes }: Intent, asked: string | null): string {
  const names = nodes.map(({ name }) => name);
  if (asked !== null && names.length > 0 && !names.includes(asked)) {
    throw new Error(`--node ${asked}: the manifests have no such Node, but ${names.join(", ")}`);
  }
  if (asked === null && names.length > 1) {
    throw new Error(`the manifests have several Nodes: say by --node which one is the gateway (${names.join(", ")})`);
  }
  return asked ?? names[0] ?? "";
}

function summary({ results, sent }: CaptureResult, out: string): string {
  const counts = new Map<string, number>();
  for (const { verdict, reason, iface } of results) {
    const what =
      verdict === "unreadable"
        ? "unreadable"
        : verdict === "own"
          ? "sent by the gateway itself"
          : `${verdict} ${iface ?? reason}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  const rows = [...counts].sort((a, b) => b[1] - a[1]).map(([what, count]) => [what, String(count)]);
  const table = rows.length === 0 ? [] : [...textTable(["WHAT BECAME OF THEM", "PACKETS"], rows, 100), ""];
  return `${[...table, `${results.length} packets read, ${sent.length} written to ${out}`].join("\n")}\n`;
}
