/** What a policy module may do beside its hooks: it runs in the gateway's process, in threads without capabilities. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { policyStatsMemory } from "../../src/policy/policy-stats.ts";
import { ControlHooks } from "../../src/policy-host/control-hooks.ts";
import { PolicyHost } from "../../src/policy-host/policy-host.ts";

const OWN = `(/^CapEff:.*$/m.exec(readFileSync("/proc/thread-self/status", "utf8"))[0])`;
const NONE = "CapEff:\t0000000000000000";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function load(name: string, create: string) {
  const module = join(folder, `${name}.mjs`);
  writeFileSync(
    module,
    `import { readFileSync } from "node:fs";
     import { definePolicy } from "sluice/policy";
     export default definePolicy({ version: "1", create() { ${create} } });`,
  );
  const host = new PolicyHost(join(folder, `store-${name}`));
  const policy = { name, module, order: 0, onError: "allow", revalidate: "never", options: {}, where: null } as const;
  const loaded = await host.load([{ ...policy, serviceSelector: null }], {}, "once");
  return { host, loaded };
}

test("the thread in which a module is tried has none", async () => {
  const { host, loaded } = await load("tried", `throw new Error(${OWN});`);
  expect(loaded.problems.map(({ message }) => message)).toEqual([expect.stringContaining(NONE)]);
  host.close();
});

test("nor has the one that calls its intent hook", async () => {
  const { host, loaded } = await load("asked", `return { intent() { throw new Error(${OWN}); } };`);
  const hooks = new ControlHooks(
    { hashKey: { k0: 1, k1: 2 }, rings: [], stats: policyStatsMemory(31) },
    { onTrouble: () => {}, onBroken: () => {} },
  );
  hooks.show(loaded.policies, []);
  const service = { name: "web", namespace: "default", labels: {}, annotations: {}, ports: [] };
  const [answer] = (await hooks.ask([{ service: service as never, slots: [0] }]))!;
  expect(answer!.failures.map(({ message }) => message)).toEqual([NONE]);
  hooks.close();
  host.close();
});

test("while this one has all that it was given", () => {
  expect(readFileSync("/proc/thread-self/status", "utf8")).not.toContain(NONE);
});
