/** Policies as a worker runs them: instances made of loaded modules, kept from scene to scene while nothing changed. */
import type { Pipeline } from "../dataplane/pipeline.ts";
import type { PolicyHooks } from "../policy/define-policy.ts";
import { type ChainSurroundings, PolicyChain, type RunningPolicy } from "../policy/policy-chain.ts";
import { ServiceDirectory } from "../policy/service-directory.ts";
import { SharedState } from "../policy/shared-state.ts";
import { loadModule } from "./load-module.ts";
import type { LoadedPolicy, PolicyScene } from "./loaded-policy.ts";

interface Instance {
  readonly generation: number;
  readonly hooks: PolicyHooks;
}

export class WorkerPolicies {
  readonly #surroundings: ChainSurroundings;
  readonly #instances = new Map<string, Instance>();

  constructor(surroundings: ChainSurroundings) {
    this.#surroundings = surroundings;
  }

  /** @returns who is asked from now on; `null` for nobody. */
  chain(scene: PolicyScene | null, pipeline: Pipeline): PolicyChain | null {
    const policies = scene?.policies ?? [];
    const names = new Set(policies.map(({ name }) => name));
    for (const name of this.#instances.keys()) if (!names.has(name)) this.#instances.delete(name);
    if (scene === null || policies.length === 0) return null;
    const running = policies.map((policy): RunningPolicy => {
      const { name, slot, onError } = policy;
      return { name, slot, hooks: this.#hooksOf(policy), onError };
    });
    const directory = new ServiceDirectory(scene.services);
    return new PolicyChain(pipeline, running, directory, scene.interfaces, this.#surroundings);
  }

  /** A module that loads nowhere but in the trial thread leaves the instance before it in place. */
  #hooksOf(policy: LoadedPolicy): PolicyHooks {
    const { name, generation } = policy;
    const known = this.#instances.get(name);
    if (known?.generation === generation) return known.hooks;
    try {
      const hooks = instantiate(policy, this.#surroundings.batchClock);
      this.#instances.set(name, { generation, hooks });
      return hooks;
    } catch (error) {
      this.#surroundings.onTrouble(name, `not loaded here: ${error instanceof Error ? error.message : error}`, false);
      return known?.hooks ?? BROKEN;
    }
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
