/** What passes between the main thread and the one that calls the hooks of the control side (control-hooks.ts). */
import type { HashKey } from "../dataplane/flow-hash.ts";
import type { ServiceIntent } from "../policy/define-policy.ts";
import type { DirectoryEntry } from "../policy/service-directory.ts";
import type { LoadedPolicy } from "./loaded-policy.ts";

export interface ControlTask {
  readonly hashKey: HashKey;
  /** Ends of flows: a ring for each thread that ends some. */
  readonly rings: readonly Int32Array[];
  /** `policyStatsMemory`. */
  readonly stats: Float64Array;
  /** See below. */
  readonly control: Int32Array;
}

/** Words of `ControlTask.control`: the policy whose hook is being called, from 1; 0 when none is; */
export const CONTROL_CALLED = 0;
/** and what grows from call to call. */
export const CONTROL_BEAT = 1;
export const CONTROL_WORDS = 2;

/** A Service, and the slots of the policies that have a say in it, in order. */
export interface IntentQuestion {
  readonly service: ServiceIntent;
  readonly slots: readonly number[];
}

export interface IntentAnswer {
  /** As those want it that have not failed. */
  readonly service: ServiceIntent;
  readonly failures: readonly { readonly slot: number; readonly message: string }[];
}

export type ControlMessage =
  | {
      readonly kind: "scene";
      readonly policies: readonly LoadedPolicy[];
      readonly services: readonly DirectoryEntry[];
    }
  | { readonly kind: "intent"; readonly questions: readonly IntentQuestion[] };

export type ControlNews =
  | { readonly kind: "answers"; readonly answers: readonly IntentAnswer[] }
  | { readonly kind: "trouble"; readonly policy: string; readonly message: string; readonly isOff: boolean };
