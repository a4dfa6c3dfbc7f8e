/** The policies of a replay: tried and instantiated as in the gateway, with fresh state. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FlowPolicy } from "../intent/flow-policy.ts";
import type { Intent } from "../intent/intent.ts";
import type { PolicySet } from "../policy/policy-chain.ts";
import { PolicyHost } from "./policy-host.ts";
import { instantiate } from "./worker-policies.ts";

/** What a scenario says of a policy. */
export type ScenarioPolicy = Pick<FlowPolicy, "name" | "module" | "onError" | "options">;

/**
 * @param where `file:line` of the scenario: relative paths of modules begin there.
 * @throws Error with a sentence when a module can't be loaded or its options are wrong.
 */
export function scenarioPolicies(policies: readonly ScenarioPolicy[], where: string): Promise<PolicySet> {
  const rest = { order: 0, serviceSelector: null, revalidate: "never", where } as const;
  return replayPolicies(policies.map((policy) => ({ ...policy, ...rest })));
}

/** @throws Error with a sentence when a module can't be loaded or its options are wrong. */
export async function replayPolicies(
  policies: readonly FlowPolicy[],
  files: Intent["policyFiles"] = {},
): Promise<PolicySet> {
  const clock = new Float64Array(1);
  if (policies.length === 0) return { running: [], clock };
  const host = new PolicyHost(mkdtempSync(join(tmpdir(), "sluice-replay-")));
  try {
    const { policies: loaded, problems } = await host.load(policies, files, "once");
    if (problems.length > 0) throw new Error(problems.map(({ object, message }) => `${object}: ${message}`).join("; "));
    const running = loaded.map((policy) => {
      const { name, slot, onError } = policy;
      return { name, slot, onError, hooks: instantiate(policy, clock) };
    });
    return { running, clock };
  } finally {
    host.close();
  }
}
