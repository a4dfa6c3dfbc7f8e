/** The thread in which a plan is tried; see plan-trials.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { planTrial, type TrialRequest } from "./plan-trial.ts";

parentPort!.postMessage(planTrial(workerData as TrialRequest));
