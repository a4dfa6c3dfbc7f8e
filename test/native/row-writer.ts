/**
 * A thread that opens, marks and withdraws rows as fast as their rest allows: the other side of row-reuse.test.ts. Each
 * time a key gets a row anew, its translation has the next generation in both address and port.
 */
import { parentPort, workerData } from "node:worker_threads";
import { egressWord } from "../../src/dataplane/egress.ts";
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, newFlowKey } from "../../src/dataplane/flow-key.ts";
import { FlowTable4 } from "../../src/dataplane/flow-table4.ts";
import { rawPorts, storeAddress } from "../../src/wire/raw.ts";
import { BpfMap } from "../../src/xdp/bpf-map.ts";
import { monotonic } from "../../src/xdp/wait.ts";

export interface WriterTask {
  readonly flowsFd: number;
  readonly hashKey: { readonly k0: number; readonly k1: number };
  readonly neighbor: number;
  readonly keys: number;
  readonly milliseconds: number;
  /** Whether rows are published before they are filled, as they must not be. */
  readonly early: boolean;
}

export const VIP = (198 << 24) + (51 << 16) + (100 << 8) + 10;
export const CLIENT = (203 << 24) + (113 << 8) + 7;
export const FIRST_PORT = 20_000;
/** Long enough for a reader to come by. */
const EARLY_MILLISECONDS = 0.1;

const address = (value: number) => ({ family: 4 as const, value: BigInt(value >>> 0) });

function run({ flowsFd, hashKey, neighbor, keys, milliseconds, early }: WriterTask): number {
  const map = BpfMap.fromFd(flowsFd);
  const flows = new FlowTable4(map.mmap(), hashKey);
  const key = newFlowKey();
  const translated = newFlowKey();
  const clock = new Float64Array(1);
  const rows = new Int32Array(keys).fill(-1);
  const end = performance.now() + milliseconds;
  let generation = 1;
  let opened = 0;
  storeAddress(key, KEY_SOURCE, address(CLIENT));
  storeAddress(key, KEY_DESTINATION, address(VIP));
  storeAddress(translated, KEY_SOURCE, address(CLIENT));
  key[KEY_PROTOCOL] = 6;
  translated[KEY_PROTOCOL] = 6;
  for (let turn = 0; performance.now() < end; turn++) {
    const index = turn % keys;
    monotonic(clock);
    const now = Math.floor(clock[0]! / 1e9);
    if (rows[index]! >= 0) flows.withdraw(rows[index]!, now);
    key[KEY_PORTS] = rawPorts(FIRST_PORT + index, 80);
    const row = flows.claim(flows.hashKey(key), key, 6, 0, now);
    rows[index] = row;
    if (row < 0) continue;
    generation = (generation % 0xffff) + 1;
    storeAddress(translated, KEY_DESTINATION, address((10 << 24) + generation));
    translated[KEY_PORTS] = rawPorts(FIRST_PORT + index, generation);
    if (early) {
      flows.words[row + flows.layout.egress] = egressWord(1, neighbor, 0);
      flows.offload(row);
      flows.publish(row);
      const filled = performance.now() + EARLY_MILLISECONDS;
      while (performance.now() < filled);
      flows.storeTranslation(row, translated);
      opened++;
      continue;
    }
    flows.complete(row, translated, egressWord(1, neighbor, 0), 0);
    flows.offload(row);
    opened++;
  }
  map.close();
  return opened;
}

parentPort?.postMessage(run(workerData as WriterTask));
