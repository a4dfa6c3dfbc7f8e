/** Mixed traffic that goes on until it is stopped: short and long TCP connections, UDP and ICMP, over both families. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { downloadSha256 } from "./curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "./deterministic-body.ts";
import type { Namespace } from "./namespace.ts";
import type { LabProcess } from "./process.ts";
import { TWO_NODES_PLACES, type TwoNodes, type TwoNodesPlaces } from "./two-nodes.ts";
import { type LoadResult, lost, Wrk } from "./wrk.ts";

const UDP_ASK = join(import.meta.dirname, "udp-ask.ts");
const BODY = sha256(deterministicBody(TWENTY_MEGABYTES));
/** A body takes ten seconds. */
const PACE = { megabytesPerSecond: 2, timeoutSeconds: 60 };
const DATAGRAMS = Array.from({ length: 400 }, (_, index) => `${20 + index}`);

/** So often repeated: a SYN that has had no answer for three seconds, data that has had none for one and a half. */
const REPEATS = 3;
const LOOK_SECONDS = 5;

export interface RequestCounts {
  readonly requests: number;
  /** Refused, reset or answered otherwise. */
  readonly lost: number;
  /** Answered after more than two seconds, or seen waiting; on a busy machine that is not to say never. */
  readonly late: number;
}

export interface SoakResult {
  readonly served: RequestCounts;
  /** Of requests to a pod's own address, in the same seconds: what the machine itself is late with. */
  readonly straight: RequestCounts;
  readonly downloads: number;
  readonly downloadsBroken: number;
  readonly datagrams: number;
  readonly datagramsLost: number;
  readonly pings: number;
  readonly pingsLost: number;
  /** Connections that were seen waiting: when, in which state of TCP, from where to where. */
  readonly waited: readonly string[];
}

export class SoakTraffic {
  readonly #client: Namespace;
  readonly #served: readonly Wrk[];
  readonly #straight: readonly Wrk[];
  /** Connections that were seen waiting, each once, and how they were seen first. */
  readonly #waiting = { served: new Map<string, string>(), straight: new Map<string, string>() };
  readonly #pings: readonly LabProcess[];
  readonly #rounds: Promise<void>[];
  readonly #counts = { downloads: 0, downloadsBroken: 0, datagrams: 0, datagramsLost: 0 };
  #stopping = false;

  constructor({ client, narrow }: TwoNodes) {
    this.#client = client;
    const load = (places: TwoNodesPlaces, address: string) =>
      Wrk.start(client, `http://${hostOf(places, address)}/`, "new", { connections: 4 });
    this.#served = TWO_NODES_PLACES.flatMap((places) => [load(places, places.both), load(places, places.web)]);
    // A pod that no loaded VIP has: a client's port must not lead to one pod by two ways.
    this.#straight = TWO_NODES_PLACES.map((places) => load(places, places.family === 4 ? narrow.ipv4 : narrow.ipv6));
    this.#pings = TWO_NODES_PLACES.map(({ family, near }) =>
      client.start(`ping${family}`, ["ping", "-q", "-i", "0.1", "-W", "2", near]),
    );
    this.#rounds = [
      this.#lookForWaiting([narrow.ipv4, narrow.ipv6]),
      ...TWO_NODES_PLACES.flatMap((places) => [this.#download(places), this.#ask(places)]),
    ];
  }

  async stop(): Promise<SoakResult> {
    this.#stopping = true;
    // The last look is taken while they still wait.
    await Promise.all(this.#rounds);
    const [served, straight] = await Promise.all(
      [this.#served, this.#straight].map((loads) => Promise.all(loads.map((load) => load.stop()))),
    );
    // An answer may still be under way.
    await Promise.all(this.#pings.map((ping) => ping.stop("SIGINT")));
    const pings = this.#pings.map((ping) => /(\d+) packets transmitted, (\d+) received/.exec(ping.log())!);
    const sent = sum(pings.map(([, count]) => Number(count)));
    return {
      served: countsOf(served!, this.#waiting.served.size),
      straight: countsOf(straight!, this.#waiting.straight.size),
      waited: [...this.#waiting.served.values(), ...this.#waiting.straight.values()],
      ...this.#counts,
      pings: sent,
      pingsLost: sent - sum(pings.map(([, , count]) => Number(count))),
    };
  }

  /** wrk does not count what it still waits for, nor how long a connection takes to come about. */
  async #lookForWaiting(pods: readonly string[]): Promise<void> {
    for (let goesOn = true; goesOn; ) {
      goesOn = !this.#stopping;
      const { stdout } = await this.#client.tryLater(["ss", "-Htno", "state", "connected", "dport", "=", ":80"]);
      for (const line of stdout.split("\n")) {
        const [state, , , from, to] = line.trim().split(/\s+/);
        if (Number(/timer:\(on,[^,]*,(\d+)\)/.exec(line)?.[1] ?? 0) < REPEATS) continue;
        const seen = pods.some((pod) => to!.includes(pod)) ? this.#waiting.straight : this.#waiting.served;
        const connection = `${from} ${to}`;
        if (!seen.has(connection)) seen.set(connection, `${new Date().toISOString()} ${state} ${connection}`);
      }
      if (goesOn) await sleep(LOOK_SECONDS * 1000);
    }
  }

  async #download(places: TwoNodesPlaces): Promise<void> {
    while (!this.#stopping) {
      const hash = await downloadSha256(this.#client, `http://${hostOf(places, places.web)}/20mb`, PACE);
      this.#counts.downloads++;
      if (hash !== BODY) this.#counts.downloadsBroken++;
    }
  }

  async #ask({ both }: TwoNodesPlaces): Promise<void> {
    while (!this.#stopping) {
      const command = [process.execPath, UDP_ASK, both, "7", ...DATAGRAMS];
      const { stdout } = await this.#client.tryLater(command, { timeoutSeconds: 60 });
      const echoed = stdout.split("\n").filter((line) => line === "echoed").length;
      this.#counts.datagrams += DATAGRAMS.length;
      this.#counts.datagramsLost += DATAGRAMS.length - echoed;
    }
  }
}

function countsOf(results: readonly LoadResult[], waiting: number): RequestCounts {
  return {
    requests: sum(results.map(({ answered }) => answered)),
    lost: sum(results.map((result) => lost(result) - result.timeout)),
    late: sum(results.map(({ timeout }) => timeout)) + waiting,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function hostOf({ family }: TwoNodesPlaces, address: string): string {
  return family === 4 ? address : `[${address}]`;
}
