/**
 * The stages of the pipeline one by one, by benchmark.js. Prints one JSON line for each: its name, and nanoseconds of each
 * of benchmark.js's samples.
 *
 * A call works off 64 items, so that benchmark.js's own cost for a call is a 64th of what it would be.
 */
import { createRequire } from "node:module";
import { makeClassifier } from "../../src/dataplane/classify.ts";
import { Fib } from "../../src/dataplane/fib.ts";
import { flowHash, flowHash6 } from "../../src/dataplane/flow-hash.ts";
import { fillMaglev } from "../../src/dataplane/maglev.ts";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { applyDelta, sumBytes } from "../../src/wire/checksum.ts";
import { ADDRESS_WORDS, storeAddress } from "../../src/wire/raw.ts";
import { ACK } from "../../src/wire/transport.ts";
import { gateway, KEY } from "../../test/fixtures/gateway.ts";
import { BATCH, CHUNK, FRAMES, layFrames, openAll, refill } from "../pipeline/workload.ts";

interface Benchmark {
  readonly name: string;
  /** Seconds a call, of each sample. */
  readonly stats: { readonly sample: readonly number[] };
}
interface Suite {
  add(name: string, run: () => void, options: { maxTime: number }): Suite;
  on(event: "cycle", listener: (event: { target: Benchmark }) => void): Suite;
  run(): void;
}
const { Suite } = createRequire(import.meta.url)("benchmark") as { Suite: new () => Suite };

const FLOWS = 1_000;
const maxTime = Number(process.argv[2] ?? 2);

const { batch, pipeline, bytes, flows4 } = gateway(BATCH, FRAMES * CHUNK, 1 << 12);
layFrames(bytes);
openAll(pipeline, FLOWS);
refill(batch, pipeline.view, 0, 0, FLOWS, ACK);
const classify = makeClassifier(pipeline);
classify(0, BATCH);

const keys = Int32Array.from({ length: BATCH * 9 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
const routes = Array.from({ length: 1_000 }, (_, i) => ({
  destination: { family: 4 as const, value: BigInt(0x0a000000 + i * 256) },
  prefixLength: 24,
  gateway: null,
  port: i & 1,
}));
const fib = Fib.build(routes);
const addresses = new Int32Array(BATCH * ADDRESS_WORDS);
for (let i = 0; i < BATCH; i++) storeAddress(addresses, i * ADDRESS_WORDS, parseIpAddress(`10.0.${i * 3}.7`)!);
const maglev = new Uint16Array(16_381);
const backends = Array.from({ length: 100 }, (_, index) => ({
  address: parseIpAddress(`10.2.${index >> 8}.${index & 255}`)!,
  port: 8080,
  weight: 1,
}));
/** Results go here, so that no compiler can leave out what makes them. */
let result = 0;

/** By name: what one call does, and how many items that are. */
const STAGES: Readonly<Record<string, readonly [items: number, run: () => void]>> = {
  "check a frame and hash its flow": [
    BATCH,
    () => {
      result ^= classify(0, BATCH);
    },
  ],
  "hash of an IPv4 flow": [
    BATCH,
    () => {
      for (let i = 0; i < BATCH; i++) result ^= flowHash(KEY.k0, KEY.k1, keys[i]!, keys[i + 1]!, keys[i + 2]!, 6);
    },
  ],
  "hash of an IPv6 flow": [
    BATCH,
    () => {
      for (let i = 0; i < BATCH; i++) result ^= flowHash6(KEY.k0, KEY.k1, keys, i, 6);
    },
  ],
  "find a flow among 1,000": [
    BATCH,
    () => {
      const { view } = pipeline;
      for (let i = 0; i < BATCH; i++) {
        const l3 = batch.network[i]!;
        const l4 = batch.transport[i]!;
        const source = view.getInt32(l3 + 12, true);
        result ^= flows4.find(batch.hash[i]!, source, view.getInt32(l3 + 16, true), view.getInt32(l4, true), 6);
      }
    },
  ],
  "checksum by a delta": [
    BATCH,
    () => {
      for (let i = 0; i < BATCH; i++) result ^= applyDelta(keys[i]! & 0xffff, keys[i + 1]! & 0xffff);
    },
  ],
  "checksum of 1,460 bytes anew": [
    1,
    () => {
      result ^= sumBytes(pipeline.view, 2048, 1460);
    },
  ],
  "route among 1,000": [
    BATCH,
    () => {
      for (let i = 0; i < BATCH; i++) result ^= fib.lookup(addresses, i * ADDRESS_WORDS);
    },
  ],
  "make a frame and forward it": [
    BATCH,
    () => {
      refill(batch, pipeline.view, 0, 0, FLOWS, ACK);
      pipeline.run(101);
    },
  ],
  "fill a Maglev table of 16,381 for 100 backends": [
    1,
    () => {
      result ^= Number(fillMaglev(maglev, backends, KEY));
    },
  ],
};

const suite = new Suite();
for (const [name, [, run]] of Object.entries(STAGES)) suite.add(name, run, { maxTime });
suite
  .on("cycle", ({ target }) => {
    const [items] = STAGES[target.name]!;
    const nanoseconds = target.stats.sample.map((seconds) => (seconds * 1e9) / items);
    process.stdout.write(`${JSON.stringify({ name: target.name, nanoseconds, result: result & 1 })}\n`);
  })
  .run();
