/** Mixed traffic that goes on until it is stopped: short and long TCP connections, UDP and ICMP, over both families. */
import { join } from "node:path";
import { downloadSha256 } from "./curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "./deterministic-body.ts";
import type { Namespace } from "./namespace.ts";
import type { LabProcess } from "./process.ts";
import { TWO_NODES_PLACES, type TwoNodesPlaces } from "./two-nodes.ts";
import { type LoadResult, lost, Wrk } from "./wrk.ts";

const UDP_ASK = join(import.meta.dirname, "udp-ask.ts");
const BODY = sha256(deterministicBody(TWENTY_MEGABYTES));
/** A body takes ten seconds. */
const PACE = { megabytesPerSecond: 2, timeoutSeconds: 60 };
const DATAGRAMS = Array.from({ length: 400 }, (_, index) => `${20 + index}`);

export interface SoakResult {
  readonly requests: number;
  /** Refused, reset or answered otherwise. */
  readonly requestsLost: number;
  /** Not answered for two seconds, which on a busy machine is not to say never. */
  readonly requestsLate: number;
  /** What wrk says of each load. */
  readonly loads: readonly LoadResult[];
  readonly downloads: number;
  readonly downloadsBroken: number;
  readonly datagrams: number;
  readonly datagramsLost: number;
  readonly pings: number;
  readonly pingsLost: number;
}

export class SoakTraffic {
  readonly #client: Namespace;
  readonly #loads: readonly Wrk[];
  readonly #pings: readonly LabProcess[];
  readonly #rounds: Promise<void>[];
  readonly #counts = { downloads: 0, downloadsBroken: 0, datagrams: 0, datagramsLost: 0 };
  #stopping = false;

  constructor(client: Namespace) {
    this.#client = client;
    this.#loads = TWO_NODES_PLACES.flatMap((places) =>
      [places.both, places.web].map((vip) =>
        Wrk.start(client, `http://${hostOf(places, vip)}/`, "new", { connections: 4 }),
      ),
    );
    this.#pings = TWO_NODES_PLACES.map(({ family, near }) =>
      client.start(`ping${family}`, ["ping", "-q", "-i", "0.1", "-W", "2", near]),
    );
    this.#rounds = TWO_NODES_PLACES.flatMap((places) => [this.#download(places), this.#ask(places)]);
  }

  async stop(): Promise<SoakResult> {
    this.#stopping = true;
    const results = await Promise.all(this.#loads.map((load) => load.stop()));
    await Promise.all(this.#rounds);
    // An answer may still be under way.
    await Promise.all(this.#pings.map((ping) => ping.stop("SIGINT")));
    const pings = this.#pings.map((ping) => /(\d+) packets transmitted, (\d+) received/.exec(ping.log())!);
    const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
    const sent = sum(pings.map(([, count]) => Number(count)));
    return {
      requests: sum(results.map(({ answered }) => answered)),
      requestsLost: sum(results.map((result) => lost(result) - result.timeout)),
      requestsLate: sum(results.map(({ timeout }) => timeout)),
      loads: results,
      ...this.#counts,
      pings: sent,
      pingsLost: sent - sum(pings.map(([, , count]) => Number(count))),
    };
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

function hostOf({ family }: TwoNodesPlaces, address: string): string {
  return family === 4 ? address : `[${address}]`;
}
