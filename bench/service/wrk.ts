/**
 * One measurement of a service: requests a second and how long they took, by wrk. It measures from where the request is
 * written, so the time to connect is in the rate alone; and as its next connection begins when one has ended, whoever
 * connects slowly is asked less at once, and then answers sooner. The paced client's times have neither.
 */
import { synRetransmissions } from "../../test/lab/tcp-counters.ts";
import type { ServiceContender } from "./contenders.ts";
import { ServiceNetwork } from "./network.ts";
import type { PacedClient, PacedResult } from "./paced-client.ts";

export interface WrkResult {
  readonly perSecond: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Connections that failed, answers that were none. */
  readonly errors: number;
  /** SYNs that the client had to send again, each a second late. */
  readonly synRetransmissions: number;
}

export interface ServiceResult extends WrkResult {
  readonly paced: PacedResult | null;
}

export interface WrkOptions {
  readonly connections: number;
  readonly seconds: number;
  /** A connection for each request, or each connection for all of its requests. */
  readonly newConnections: boolean;
  /** Afterwards, for as long, new connections at an even pace. */
  readonly paced?: { readonly client: PacedClient; readonly perSecond: number };
}

/** As long as V8 takes to have compiled what opens flows, with both cores busy. */
const WARM_UP_SECONDS = 2;

export async function measureService(contender: ServiceContender, options: WrkOptions): Promise<ServiceResult> {
  const network = await ServiceNetwork.start();
  try {
    const url = await contender.start(network);
    await wrk(network, url, { ...options, seconds: WARM_UP_SECONDS });
    const result = await wrk(network, url, options);
    const { paced, seconds } = options;
    return { ...result, paced: (await paced?.client.run(network.client, url, paced.perSecond, seconds)) ?? null };
  } finally {
    network.close();
  }
}

async function wrk({ client }: ServiceNetwork, url: string, options: WrkOptions): Promise<WrkResult> {
  const close = options.newConnections ? ["-H", "Connection: close"] : [];
  const seconds = Math.max(1, Math.round(options.seconds));
  const command = ["wrk", "-t1", `-c${options.connections}`, `-d${seconds}s`, "--latency", ...close, url];
  const before = synRetransmissions(client);
  const { status, stdout, stderr } = await client.tryLater(command, { timeoutSeconds: seconds + 30 });
  if (status !== 0) throw new Error(`wrk ended with ${status}: ${stderr || stdout}`);
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout);
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(stdout);
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)![1]),
    p50: microseconds(stdout, 50),
    p99: microseconds(stdout, 99),
    errors: (sockets?.slice(1).reduce((sum, count) => sum + Number(count), 0) ?? 0) + Number(refused?.[1] ?? 0),
    synRetransmissions: synRetransmissions(client) - before,
  };
}

function microseconds(output: string, percent: number): number {
  const [, value, unit] = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s)$`, "m").exec(output)!;
  return Number(value) * { us: 1, ms: 1e3, s: 1e6 }[unit as "us" | "ms" | "s"];
}
