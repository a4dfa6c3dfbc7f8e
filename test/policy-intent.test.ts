/** Policies on the control side: what their `intent` makes of Services, in the thread and with the loader that a gateway has. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { Intent } from "../src/intent/intent.ts";
import { policyStatsMemory, STAT, STAT_WORDS } from "../src/policy/policy-stats.ts";
import { ControlHooks } from "../src/policy-host/control-hooks.ts";
import { IntentShaping } from "../src/policy-host/intent-shaping.ts";
import { PolicyHost } from "../src/policy-host/policy-host.ts";
import { endpointSlice, intentOf, lbService } from "./fixtures/kubernetes-objects.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-intent-test-"));
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A gateway's control side with these policies; each is the body of an `intent(service)`. */
async function controlSide(bodies: Readonly<Record<string, string>>, selector: object | null = null) {
  const host = new PolicyHost(mkdtempSync(join(tmpdir(), "sluice-intent-test-store-")));
  const stats = policyStatsMemory(31);
  const broken: string[] = [];
  const hooks = new ControlHooks(
    { hashKey: { k0: 1, k1: 2 }, rings: [], stats },
    {
      onTrouble: () => {},
      onBroken: (slot, how) => {
        broken.push(how);
        stats[slot * STAT_WORDS + STAT.off] = 1;
      },
    },
  );
  closers.push(
    () => host.close(),
    () => hooks.close(),
  );
  const shaping = new IntentShaping();
  const policies = Object.entries(bodies).map(([name, body], order) => {
    const module = join(folder, `${name}.ts`);
    write(module, body);
    return { name, module, order, onError: "allow", revalidate: "never", options: {}, where: null } as const;
  });
  const flowPolicies = policies.map((policy) => ({
    ...policy,
    serviceSelector: selector === null ? null : { matchExpressions: [], matchLabels: {}, ...selector },
  }));
  const shape = async (intent: Intent) => {
    const loaded = await host.load(flowPolicies, {}, "once");
    expect(loaded.problems).toEqual([]);
    hooks.show(loaded.policies, []);
    return shaping.shape({ ...intent, flowPolicies }, loaded.policies, (questions) => hooks.ask(questions));
  };
  return { shape, broken, change: (name: string, body: string) => write(join(folder, `${name}.ts`), body) };
}

function write(file: string, body: string): void {
  rmSync(file, { force: true });
  writeFileSync(
    file,
    `import { definePolicy } from "sluice/policy";
     export default definePolicy({ version: "1", create: () => ({ intent(service) { ${body} } }) });`,
  );
}

const WEB = lbService("web", { labels: { app: "web" } });
const OTHER = lbService("other");
const slices = (pods: readonly string[]) => [
  endpointSlice(
    "web",
    pods.map((address) => ({ address })),
  ),
  endpointSlice("other", [{ address: "10.2.0.9" }]),
];
const wanted = (pods = ["10.2.0.2", "10.2.0.3"]) => intentOf(WEB, OTHER, ...slices(pods));
const backendsOf = (intent: Intent, name: string) =>
  intent.services
    .find((service) => service.name === name)!
    .ports[0]!.backends.map(({ address, weight = 1 }) => [Number(address.value & 0xffn), weight]);

describe("a policy's intent", () => {
  test("gives backends other weights and adds one, for the Services that it selects only", async () => {
    const { shape } = await controlSide(
      {
        weights: `return { ports: service.ports.map((port) => ({ ...port, backends: [
          ...port.backends.map((backend, index) => ({ ...backend, weight: index * 10 })), { address: "10.2.0.7", port: 81 }] })) };`,
      },
      { matchLabels: { app: "web" } },
    );
    const before = wanted();
    const { intent, problems } = await shape(before);
    expect(problems).toEqual([]);
    expect(backendsOf(intent, "web")).toEqual([
      [2, 0],
      [3, 10],
      [7, 1],
    ]);
    expect(intent.services[0]).toBe(before.services[0]);
  });

  test("says how a Service is forwarded and balanced", async () => {
    const { shape } = await controlSide({ mode: `return { mode: "dsr", balancing: "least-connections" };` });
    const { intent } = await shape(wanted());
    expect(intent.services[1]).toMatchObject({ forwarding: "dsr", balancing: "least-connections" });
  });

  test("sees what the policies before it have made of the Service", async () => {
    const { shape } = await controlSide({
      first: `return { balancing: "random" };`,
      second: `return { mode: service.balancing === "random" ? "dsr" : "nat" };`,
    });
    expect((await shape(wanted())).intent.services[1]).toMatchObject({ forwarding: "dsr", balancing: "random" });
  });

  test("is asked again only about what has changed, and about all when the module has", async () => {
    const { shape, change } = await controlSide({ random: `return { balancing: "random" };` });
    const before = wanted();
    const first = await shape(before);
    const again = await shape({ ...before });
    expect(again.intent.services).toBe(first.intent.services);
    change("random", `return { balancing: "maglev" };`);
    expect((await shape(before)).intent.services[1]).toMatchObject({ balancing: "maglev" });
  });

  test("leaves what it said last in force when it throws, and says which policy, which Service and why", async () => {
    const body = `if (service.ports[0].backends.length > 2) throw new Error("too many");
      return { ports: service.ports.map((port) => ({ ...port, backends: port.backends.slice(0, 1) })) };`;
    const { shape } = await controlSide({ first: body });
    expect(backendsOf((await shape(wanted())).intent, "web")).toEqual([[2, 1]]);
    const { intent, problems } = await shape(wanted(["10.2.0.2", "10.2.0.3", "10.2.0.4"]));
    expect(backendsOf(intent, "web")).toEqual([[2, 1]]);
    expect(problems).toMatchObject([
      {
        object: "SluicePolicy/first",
        message: "its intent() for default/web: too many; what it said before stays in force",
      },
    ]);
  });

  test.each([
    ["7", "must be an object"],
    [`{ mode: "fast" }`, 'mode: must be one of nat, dsr; is "fast"'],
    [`{ ports: [{ port: 80, protocol: "TCP", backends: [{ address: "pod", port: 80 }] }] }`, '"pod" is no IP address'],
    [`{ ports: [{ port: 443, protocol: "TCP", backends: [] }] }`, "the Service has no port 443/TCP"],
    [`{ ports: [{ port: 80, protocol: "TCP", backends: [{ address: "10.1.1.1", port: 0 }] }] }`, "backends[0].port"],
    ["() => 1", "could not be cloned"],
  ])("that answers %s is refused by a sentence, and the Service stays as it is", async (answer, sentence) => {
    const { shape } = await controlSide({ wrong: `return ${answer};` });
    const before = wanted();
    const { intent, problems } = await shape(before);
    expect(problems[0]!.message).toContain(sentence);
    expect(backendsOf(intent, "web")).toEqual(backendsOf(before, "web"));
  });

  test("that never returns is switched off, and the others are heard", async () => {
    const { shape, broken } = await controlSide({ loops: "for (;;);", other: `return { balancing: "random" };` });
    const { intent, problems } = await shape(wanted());
    expect(broken).toEqual(["a hook has not returned"]);
    expect(problems[0]!.message).toContain("it is switched off");
    expect(intent.services[1]).toMatchObject({ balancing: "random" });
  });

  test("that takes all memory is switched off, and the others are heard", async () => {
    const { shape, broken } = await controlSide({
      hungry: "const all = []; for (;;) all.push(new Array(10000).fill({}));",
      other: `return { balancing: "random" };`,
    });
    const { intent } = await shape(wanted());
    // On a busy machine the watchdog may be there before the memory is all used up.
    expect(broken).toEqual([expect.stringMatching(/memory|not returned/)]);
    expect(intent.services[1]).toMatchObject({ balancing: "random" });
  });
});
