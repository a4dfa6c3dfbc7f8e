/**
 * A worker that opens and ends the same flows as the XDP program, by the workers' own table: the other side of
 * opening-race.test.ts.
 */
import { parentPort, workerData } from "node:worker_threads";
import { BackendLoad } from "../../src/dataplane/backend-load.ts";
import { endFlow, FlowEnd } from "../../src/dataplane/flow-end.ts";
import {
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  newFlowKey,
  reverseKey,
} from "../../src/dataplane/flow-key.ts";
import { NO_ROW, TAG_REPLY } from "../../src/dataplane/flow-table.ts";
import { FlowTable4 } from "../../src/dataplane/flow-table4.ts";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { rawPorts, storeAddress } from "../../src/wire/raw.ts";
import { BpfMap } from "../../src/xdp/bpf-map.ts";
import { monotonic } from "../../src/xdp/wait.ts";
import { BACKEND, HASH_KEY, VIP } from "./opening-stage.ts";

export interface OpeningTask {
  readonly flowsFd: number;
  readonly loadFd: number;
  readonly client: string;
  readonly firstPort: number;
  readonly keys: number;
  readonly milliseconds: number;
}

const TCP = 6;

function run(task: OpeningTask): { opened: number; ended: number } {
  const maps = { flows: BpfMap.fromFd(task.flowsFd), load: BpfMap.fromFd(task.loadFd) };
  const flows = new FlowTable4(maps.flows.mmap(), HASH_KEY, new BackendLoad(maps.load.mmap()));
  const [key, translated, reply, answer] = [newFlowKey(), newFlowKey(), newFlowKey(), newFlowKey()];
  const clock = new Float64Array(1);
  const counts = { opened: 0, ended: 0 };
  storeAddress(key, KEY_SOURCE, parseIpAddress(task.client)!);
  storeAddress(key, KEY_DESTINATION, parseIpAddress(VIP)!);
  storeAddress(translated, KEY_SOURCE, parseIpAddress(task.client)!);
  storeAddress(translated, KEY_DESTINATION, parseIpAddress(BACKEND)!);
  key[KEY_PROTOCOL] = TCP;
  translated[KEY_PROTOCOL] = TCP;
  const end = performance.now() + task.milliseconds;
  for (let turn = 0; performance.now() < end; turn = (turn + 1) % task.keys) {
    monotonic(clock);
    const now = Math.floor(clock[0]! / 1e9);
    key[KEY_PORTS] = rawPorts(task.firstPort + turn, 80);
    translated[KEY_PORTS] = rawPorts(task.firstPort + turn, 8080);
    const hash = flows.hashKey(key);
    flows.lock(hash);
    const found = flows.findKey(hash, key);
    if (found !== NO_ROW) {
      if (endFlow(flows, found, flows.peer(found), FlowEnd.silent, now)) counts.ended++;
    } else {
      reverseKey(reply, translated);
      reverseKey(answer, key);
      const back = flows.claim(flows.hashKey(reply), reply, TCP, TAG_REPLY, now);
      if (back !== NO_ROW) {
        flows.complete(back, answer, 0, 0);
        const there = flows.claim(hash, key, TCP, 0, now);
        if (there === NO_ROW) flows.withdraw(back, now);
        else {
          flows.complete(there, translated, 0, 0);
          counts.opened++;
        }
      }
    }
    flows.unlock(hash);
  }
  for (const map of Object.values(maps)) map.close();
  return counts;
}

parentPort?.postMessage(run(workerData as OpeningTask));
