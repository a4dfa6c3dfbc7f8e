/** The thread that calls the hooks of the control side, where one that never returns holds up nobody else. */
import { parentPort, workerData } from "node:worker_threads";
import { FlowTable4, flowTable4Memory } from "../dataplane/flow-table4.ts";
import { FlowTable6, flowTable6Memory } from "../dataplane/flow-table6.ts";
import { FlowEndCalls } from "../policy/flow-end-calls.ts";
import { type CallSurroundings, GuardedCalls } from "../policy/guarded-calls.ts";
import type { RunningPolicy } from "../policy/policy-chain.ts";
import { ServiceDirectory } from "../policy/service-directory.ts";
import {
  CONTROL_BEAT,
  CONTROL_CALLED,
  type ControlMessage,
  type ControlNews,
  type ControlTask,
  type IntentAnswer,
  type IntentQuestion,
} from "./control-task.ts";
import { giveUpCapabilities } from "./give-up-capabilities.ts";
import { answeredIntent } from "./service-intent.ts";
import { PolicyInstances } from "./worker-policies.ts";

/** Ends are told of so often, so many at once; then the watchdog sees that there is progress. */
const TELL_MILLISECONDS = 100;
const TOLD_AT_ONCE = 64;
/** Only for their hashes. */
const SMALLEST_TABLE = 64;

await giveUpCapabilities();
const { hashKey, rings, stats, control } = workerData as ControlTask;
const clock = new Float64Array(1);
const surroundings: CallSurroundings = {
  batchClock: clock,
  stats,
  watch: control,
  watchAt: CONTROL_CALLED,
  onTrouble: (policy, message, isOff) => tell({ kind: "trouble", policy, message, isOff }),
};
const hashers = {
  flows4: new FlowTable4(flowTable4Memory(SMALLEST_TABLE), hashKey),
  flows6: new FlowTable6(flowTable6Memory(SMALLEST_TABLE), hashKey),
};
const ends = new FlowEndCalls(rings, surroundings);
const calls = new GuardedCalls(surroundings);
const instances = new PolicyInstances(surroundings);
let policies: readonly RunningPolicy[] = [];
let directory = new ServiceDirectory([]);

parentPort!.on("message", (message: ControlMessage) => {
  readClock();
  if (message.kind === "intent") {
    tell({ kind: "answers", answers: message.questions.map(answer) });
    return;
  }
  // By the names that their Services had.
  tellOfEnds();
  policies = instances.of(message.policies);
  directory = new ServiceDirectory(message.services);
});
setInterval(tellOfEnds, TELL_MILLISECONDS);

function tellOfEnds(): void {
  readClock();
  while (ends.tell(policies, hashers, directory, TOLD_AT_ONCE) > 0) beat();
}

function answer({ service, slots }: IntentQuestion): IntentAnswer {
  const failures: { slot: number; message: string }[] = [];
  let intended = service;
  for (const slot of slots) {
    const policy = policies.find((one) => one.slot === slot);
    if (policy === undefined) continue;
    if (policy.hooks.intent === undefined || calls.isOff(policy)) {
      failures.push({ slot, message: "it is switched off" });
      continue;
    }
    beat();
    calls.begin(policy);
    try {
      intended = answeredIntent(intended, policy.hooks.intent(intended));
    } catch (error) {
      failures.push({ slot, message: error instanceof Error ? error.message : String(error) });
      calls.fail(policy, error);
    }
    calls.end();
  }
  return { service: intended, failures };
}

function beat(): void {
  control[CONTROL_BEAT]!++;
}

function readClock(): void {
  clock[0] = Number(process.hrtime.bigint());
}

function tell(news: ControlNews): void {
  parentPort!.postMessage(news);
}
