/** Policies as a worker runs them: instances made of loaded modules, kept from scene to scene while nothing changed. */
import type { Pipeline } from "../dataplane/pipeline.ts";
import type { PolicyHooks } from "../policy/define-policy.ts";
import { type CallSurroundings, GuardedCalls } from "../policy/guarded-calls.ts";
import {
  type ChainSurroundings,
  makePolicyChain,
  type PolicyChain,
  type RunningPolicy,
} from "../policy/policy-chain.ts";
import { ServiceDirectory } from "../policy/service-directory.ts";
import { SharedState } from "../policy/shared-state.ts";
import { loadModule } from "./load-module.ts";
import type { LoadedPolicy, PolicyScene } from "./loaded-policy.ts";

interface Instance {
  readonly generation: number;
  readonly hooks: PolicyHooks;
}

/** Instances of modules in this thread. */
export class PolicyInstances {
  readonly #surroundings: CallSurroundings;
  readonly #calls: GuardedCalls;
  readonly #instances = new Map<string, Instance>();

  constructor(surroundings: CallSurroundings) {
    this.#surroundings = surroundings;
    this.#calls = new GuardedCalls(surroundings);
  }

  /** Those of these policies; others are forgotten. */
  of(policies: readonly LoadedPolicy[]): RunningPolicy[] {
    const names = new Set(policies.map(({ name }) => name));
    for (const name of this.#instances.keys()) if (!names.has(name)) this.#instances.delete(name);
    return policies.map((policy): RunningPolicy => {
      const { name, slot, onError } = policy;
      return { name, slot, hooks: this.#hooksOf(policy), onError };
    });
  }

  /** A module that loads nowhere but in the trial thread leaves the instance before it in place. */
  #hooksOf(policy: LoadedPolicy): PolicyHooks {
    const { name, generation } = policy;
    const known = this.#instances.get(name);
    if (known?.generation === generation) return known.hooks;
    // A thread that takes the place of another has no use for what ended that one.
    if (known === undefined && this.#calls.isOff(policy)) return BROKEN;
    this.#calls.begin(policy);
    try {
      const hooks = instantiate(policy, this.#surroundings.batchClock);
      this.#instances.set(name, { generation, hooks });
      return hooks;
    } catch (error) {
      this.#surroundings.onTrouble(name, `not loaded here: ${error instanceof Error ? error.message : error}`, false);
      return known?.hooks ?? BROKEN;
    } finally {
      this.#calls.end();
    }
  }
}

export class WorkerPolicies {
  readonly #instances: PolicyInstances;
  readonly #chain: PolicyChain;

  constructor(pipeline: Pipeline, surroundings: ChainSurroundings) {
    this.#instances = new PolicyInstances(surroundings);
    this.#chain = makePolicyChain(pipeline, surroundings);
  }

  /** @returns who is asked from now on; `null` for nobody. */
  chain(scene: PolicyScene | null): PolicyChain | null {
    const running = this.#instances.of(scene?.policies ?? []);
    if (scene === null || running.length === 0) return null;
    this.#chain.show(running, new ServiceDirectory(scene.services), scene.interfaces);
    return this.#chain;
  }
}

/** @param clock of the thread that calls the hooks. @throws whatever the module throws. */
export function instantiate({ path, options, memory }: LoadedPolicy, clock: Float64Array): PolicyHooks {
  if (path === null) return BROKEN;
  return loadModule(path).create({ options, state: new SharedState(clock, memory, null) });
}

/** Stands for a module that could not be loaded: its `onError` says what happens to flows. */
const BROKEN: PolicyHooks = {
  onNewFlow() {
    throw new Error("the module could not be loaded");
  },
};
