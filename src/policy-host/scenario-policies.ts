/** The policies of a replay: tried and instantiated as in the gateway, with fresh state. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FlowPolicy } from "../intent/flow-policy.ts";
import type { RunningPolicy } from "../policy/policy-chain.ts";
import { PolicyHost } from "./policy-host.ts";
import { instantiate } from "./worker-policies.ts";

/** What a scenario says of a policy. */
export type ScenarioPolicy = Pick<FlowPolicy, "name" | "module" | "onError" | "options">;

/**
 * @param where `file:line` of the scenario: relative paths of modules begin there.
 * @throws Error with a sentence when a module can't be loaded or its options are wrong.
 */
export function scenarioPolicies(policies: readonly ScenarioPolicy[], where: string): Promise<RunningPolicy[]> {
  const rest = { order: 0, serviceSelector: null, revalidate: "never", where } as const;
  return replayPolicies(policies.map((policy) => ({ ...policy, ...rest })));
}

/** @throws Error with a sentence when a module can't be loaded or its options are wrong. */
export async function replayPolicies(policies: readonly FlowPolicy[]): Promise<RunningPolicy[]> {
  if (policies.length === 0) return [];
  const host = new PolicyHost(mkdtempSync(join(tmpdir(), "sluice-replay-")));
  try {
    const { policies: loaded, problems } = await host.load(policies, "once");
    if (problems.length > 0) throw new Error(problems.map(({ object, message }) => `${object}: ${message}`).join("; "));
    return loaded.map((policy) => ({
      name: policy.name,
      slot: policy.slot,
      hooks: instantiate(policy),
      onError: policy.onError,
    }));
  } finally {
    host.close();
  }
}
