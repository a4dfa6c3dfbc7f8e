/**
 * All nodes, as the one that is asked finds them: it asks each of the others where its Node object says that it is, at once,
 * and waits for no one longer than a moment. Who does not answer is in the list too, with the reason.
 */
import { request } from "node:http";
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import { type BareService, bareServices } from "./bare-services.ts";
import { FLEET_PATH, FLEET_QUESTION } from "./fleet-door.ts";
import type { NodeReport } from "./node-report.ts";
import { seal, unseal } from "./seal.ts";

const PATIENCE_MILLISECONDS = 1500;
/** However many look, the others are asked once in this time, and not at all while nobody looks. */
const FRESH_MILLISECONDS = 2000;
/** A page is no place for more, and every node is asked at once. */
const MOST_NODES = 256;
const LONGEST_ANSWER_BYTES = 4 << 20;

export interface FleetMember {
  readonly node: string;
  /** `null` for a node that does not answer. */
  readonly report: NodeReport | null;
  /** Why it does not. */
  readonly trouble: string | null;
}

export interface FleetStatus {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Whether the others are asked; without `--fleet` there is only the node itself. */
  readonly asksOthers: boolean;
  /** By name; the node that answers is one of them. */
  readonly members: readonly FleetMember[];
  /** Nodes beyond those that were asked. */
  readonly moreNodes: number;
  /** Services to which nobody can connect, at any of the nodes that answer. */
  readonly bare: readonly BareService[];
}

interface FleetNode {
  readonly name: string;
  readonly internalAddresses: readonly IpAddress[];
}

interface FleetSetup {
  /** The name of this node. */
  readonly self: string;
  report(): Promise<NodeReport>;
  nodes(): readonly FleetNode[];
  /** Nodes that may attract the traffic of each Service, by NAMESPACE/NAME. */
  announcers(): Readonly<Record<string, readonly string[]>>;
  /** How the others are asked; `null` where they are not. */
  readonly others: { readonly key: Uint8Array; readonly port: number } | null;
}

export class Fleet {
  readonly #setup: FleetSetup;
  #last: { readonly at: number; readonly status: Promise<FleetStatus> } | null = null;

  constructor(setup: FleetSetup) {
    this.#setup = setup;
  }

  status(): Promise<FleetStatus> {
    const now = performance.now();
    if (this.#last === null || now - this.#last.at > FRESH_MILLISECONDS) this.#last = { at: now, status: this.#ask() };
    return this.#last.status;
  }

  async #ask(): Promise<FleetStatus> {
    const { self, others, nodes, announcers, report } = this.#setup;
    const asked = others === null ? [] : nodes().filter(({ name }) => name !== self);
    const members = await Promise.all([
      report().then((own): FleetMember => ({ node: self, report: own, trouble: null })),
      ...asked.slice(0, MOST_NODES).map((node) => askNode(node, others!.key, others!.port)),
    ]);
    return {
      time: Date.now(),
      asksOthers: others !== null,
      members: members.sort((a, b) => a.node.localeCompare(b.node)),
      moreNodes: Math.max(0, asked.length - MOST_NODES),
      bare: bareServices(
        members.flatMap((member) => member.report ?? []),
        announcers(),
      ),
    };
  }
}

async function askNode(node: FleetNode, key: Uint8Array, port: number): Promise<FleetMember> {
  const [address] = node.internalAddresses;
  try {
    if (address === undefined) throw new Error("its Node object has no internal address");
    const report = await reportAt(formatIpAddress(address), port, key);
    // Names and addresses come from manifests, where two may have been mixed up.
    if (report.node !== node.name)
      throw new Error(`${report.node} answers at its address, ${formatIpAddress(address)}`);
    return { node: node.name, report, trouble: null };
  } catch (error) {
    return { node: node.name, report: null, trouble: (error as Error).message };
  }
}

/** @throws Error with a sentence for people. */
async function reportAt(host: string, port: number, key: Uint8Array): Promise<NodeReport> {
  const question = seal(key, FLEET_QUESTION, new Uint8Array());
  const { status, body } = await post(host, port, question);
  if (status === 403) throw new Error("it refuses: its cluster secret is another one");
  if (status !== 200) throw new Error(`it answers ${status}: ${body.toString("utf8", 0, 200).trim()}`);
  const answer = unseal(key, body, question);
  if (answer === null) throw new Error("its answer is not sealed by the cluster's secret");
  return JSON.parse(answer) as NodeReport;
}

function post(host: string, port: number, question: Buffer): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
    const asked = request({ host, port, path: FLEET_PATH, method: "POST", agent: false, signal }, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on("data", (part: Buffer) => {
        bytes += part.length;
        if (bytes > LONGEST_ANSWER_BYTES) response.destroy(new Error("its answer is too long"));
        parts.push(part);
      });
      response.on("end", () => resolve({ status: response.statusCode!, body: Buffer.concat(parts) }));
      response.on("error", refused);
    });
    const refused = (cause: NodeJS.ErrnoException) =>
      reject(new Error(inWords(cause, `${host} port ${port}`), { cause }));
    asked.on("error", refused);
    asked.end(question);
  });
}

function inWords({ name, code, message }: NodeJS.ErrnoException, where: string): string {
  if (name === "AbortError" || name === "TimeoutError") {
    return `no answer from ${where} within ${PATIENCE_MILLISECONDS / 1000} s`;
  }
  if (code === "ECONNREFUSED") return `nothing listens at ${where}: no gateway runs there, or one without --fleet`;
  if (code === "EHOSTUNREACH" || code === "ENETUNREACH") return `no way to ${where}`;
  return `${where}: ${message}`;
}
