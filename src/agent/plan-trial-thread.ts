/** The thread in which a plan is tried; see plan-trials.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { giveUpCapabilities } from "../policy-host/give-up-capabilities.ts";
import { planTrial, type TrialRequest } from "./plan-trial.ts";

await giveUpCapabilities();
parentPort!.postMessage(planTrial(workerData as TrialRequest));
