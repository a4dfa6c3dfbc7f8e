/** What policies may say besides yes and no, what they are told of ends, the guard that needs both, and modules in ConfigMaps. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PolicyHost } from "../src/policy-host/policy-host.ts";
import { intentOf } from "./fixtures/kubernetes-objects.ts";
import { CANARY, CANARY_VIP, frame, policy, policyScenarios, VIP, vip, WEB } from "./fixtures/policy-scenarios.ts";

const { folder, run, outcomes, module } = policyScenarios();

describe("the guard against floods of new flows", () => {
  const guard = {
    module: "builtin:syn-flood-guard",
    options: { newFlowsPerSecond: 10, strangersPerSecond: 2, calmSeconds: 3 },
  };
  const strangers = (first: number, count: number) =>
    Array.from({ length: count }, (_, n) => ({ client: `192.0.2.${first + n}` }));
  const allowed = (answers: readonly string[]) => answers.filter((answer) => answer !== "PolicyDenied").length;

  test("lets strangers share a budget while a flood lasts, and everybody in when it is over", async () => {
    const flood = [{ wait: 1 }, ...strangers(1, 20), { wait: 1 }];
    const answers = await outcomes([guard], [...flood, ...strangers(50, 8), { wait: 5 }, ...strangers(100, 8)]);
    expect(allowed(answers.slice(0, 20))).toBe(20);
    expect(allowed(answers.slice(20, 28))).toBe(2);
    expect(allowed(answers.slice(28))).toBe(8);
  });

  test("leaves alone who has had a whole connection before", async () => {
    const [client, backend] = ["203.0.113.5:40000", `${WEB[0]}:8080`];
    const request = (flags: string) => ({
      iface: "wan",
      packet: { from: client, to: `${VIP}:80`, protocol: "tcp", flags },
    });
    const reply = (flags: string) => ({ iface: "lan", packet: { from: backend, to: client, protocol: "tcp", flags } });
    const connection = [request("S"), reply("SA"), request("A"), request("FA"), reply("FA"), request("A")];
    const flood = [{ advanceSeconds: 61 }, ...strangers(1, 20).map(frame), { advanceSeconds: 1 }];
    const then = [...strangers(50, 8), ...[1, 2, 3, 4].map((port) => ({ port }))].map(frame);
    const { results } = await run([guard], [...connection, ...flood, ...then], [WEB[0]!]);
    const last = results.slice(-12).map(({ verdict }) => verdict);
    expect(last.slice(0, 8).filter((verdict) => verdict === "tx")).toHaveLength(2);
    expect(last.slice(8)).toEqual(["tx", "tx", "tx", "tx"]);
  });
});

describe("a policy from ConfigMaps", () => {
  const map = (name: string, data: object, labels: object = { "sluice.dev/policy": "true" }) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "sluice-system", labels },
    data,
  });
  const policyOf = (module: string) => ({
    apiVersion: "sluice.dev/v1alpha1",
    kind: "SluicePolicy",
    metadata: { name: "listed" },
    spec: { module },
  });
  const listed = (version: string) => `
    import { Continue, definePolicy } from "sluice/policy";
    export default definePolicy({
      version: "${version}",
      create({ state }) {
        const list = state.prefixes("list", { file: "configmap:sluice-system/lists/denied.txt" });
        return { onNewFlow: (flow) => (list.has(flow.client) ? flow.deny("listed") : Continue) };
      },
    });`;
  const MODULE = "configmap:sluice-system/modules/listed.ts";

  test("is its module and the list that it reads, and changes with either", async () => {
    const host = new PolicyHost(join(folder, "store"));
    const load = (version: string, list: string) => {
      const maps = [map("modules", { "listed.ts": listed(version) }), map("lists", { "denied.txt": list })];
      const { flowPolicies, policyFiles } = intentOf(policyOf(MODULE), ...maps);
      return host.load(flowPolicies, policyFiles, "once");
    };
    const generation = async (version: string, list: string) => (await load(version, list)).policies[0]!.generation;
    expect((await load("1", "192.0.2.0/24\n")).problems).toEqual([]);
    expect(await generation("1", "192.0.2.0/24\n")).toBe(1);
    expect(await generation("2", "192.0.2.0/24\n")).toBe(2);
    expect(await generation("2", "192.0.3.0/24\n")).toBe(3);
    const { problems } = await load("2", "nonsense\n");
    expect(problems[0]!.message).toMatch(/denied.txt:1: "nonsense" is no prefix.*version 2 stays in force/);
    host.close();
  });

  test("leaves no more copies of modules than its own and the last one's, however often it changes", async () => {
    const store = join(folder, "changing");
    const host = new PolicyHost(store);
    const maps = (version: string) => [
      map("modules", { "listed.ts": listed(version) }),
      map("lists", { "denied.txt": "192.0.2.0/24\n" }),
    ];
    for (const version of ["1", "2", "3", "4", "1"]) {
      const { flowPolicies, policyFiles } = intentOf(policyOf(MODULE), ...maps(version));
      const { policies, problems } = await host.load(flowPolicies, policyFiles, "once");
      expect(problems).toEqual([]);
      expect(existsSync(policies[0]!.path!)).toBe(true);
    }
    expect(readdirSync(store)).toHaveLength(2);
    host.close();
  });

  test("is refused with a sentence when there is no such key, or the label is missing", async () => {
    const host = new PolicyHost(join(folder, "store"));
    for (const objects of [[], [map("modules", { "listed.ts": listed("1") }, {})]]) {
      const { flowPolicies, policyFiles } = intentOf(policyOf(MODULE), ...objects);
      const { problems } = await host.load(flowPolicies, policyFiles, "once");
      expect(problems[0]!.message).toMatch(/must have the label sluice.dev\/policy: "true"/);
    }
    host.close();
  });
});

describe("how a flow is forwarded", () => {
  const byNat = () => module("by-nat.ts", policy(`return flow.setMode("nat");`));

  test("may be NAT although the Service says direct server return", async () => {
    expect(await outcomes([], [{}], WEB, "dsr-l2")).toEqual([VIP]);
    expect(await outcomes([{ module: byNat() }], [{}], WEB, "dsr-l2")).toEqual([expect.stringMatching(/^10\.2\.0\./)]);
  });

  test("is said besides the backend, and a later policy may say otherwise", async () => {
    const backend = module("backend.ts", policy(`flow.setMode("nat"); return flow.useBackend(1);`));
    const [byName] = await outcomes([{ module: backend }], [{}], WEB, "dsr-l2");
    expect(WEB).toContain(byName);
    const back = module("back.ts", policy(`return flow.setMode("dsr");`));
    expect(await outcomes([{ module: byNat() }, { module: back }], [{}], WEB, "dsr-l2")).toEqual([VIP]);
  });

  test("can't be direct server return where the backends are not prepared for it", async () => {
    const dsr = module("dsr.ts", policy(`return flow.setMode("dsr");`));
    expect(await outcomes([{ module: dsr, onError: "deny" }], [{}])).toEqual(["PolicyDenied"]);
  });

  test("is not changed by who wants to see all frames", async () => {
    const capture = module("capture.ts", policy("return flow.capture();"));
    const deny = module("then-deny.ts", policy(`return flow.deny("no");`));
    expect(await outcomes([{ module: capture }], [{}])).toEqual([expect.stringMatching(/^10\.2\.0\./)]);
    expect(await outcomes([{ module: capture }, { module: deny }], [{}])).toEqual(["PolicyDenied"]);
  });
});

describe("the end of a flow", () => {
  /** Denies every flow from the first one that has ended on, with what it was told of that as the reason. */
  const told = () =>
    module(
      "told.ts",
      `
      import { Continue, definePolicy } from "sluice/policy";
      export default definePolicy({
        version: "1",
        create({ state }) {
          const ends = state.counter("ends");
          return {
            onNewFlow: (flow) => (ends.value === 0 ? Continue : flow.deny("after the end")),
            onFlowEnd(flow) {
              const text = [flow.client, flow.clientPort, flow.vip, flow.vipPort, flow.protocol, flow.service,
                flow.backend.toString().slice(0, 7), flow.backendPort, flow.requestPackets, flow.requestBytes,
                flow.replyPackets, flow.replyBytes, flow.seconds, flow.reason].join(" ");
              if (text !== "203.0.113.5 40000 ${VIP} 80 TCP shop/web 10.2.0. 8080 2 120 0 0 10 silent") throw new Error(text);
              ends.add(1);
            },
          };
        },
      });`,
    );

  test("is told with its counters, age and reason", async () => {
    const flows = [{}, { wait: 10 }, {}, { wait: 50 }, { port: 2 }, { wait: 20 }, { port: 3 }];
    const answers = await outcomes([{ module: told() }], flows);
    expect(answers.map((answer) => answer === "PolicyDenied")).toEqual([false, false, false, true]);
  });

  test("of a flow whose Service is gone is told too", async () => {
    const gone = module(
      "gone.ts",
      `
      import { Continue, definePolicy } from "sluice/policy";
      export default definePolicy({
        version: "1",
        create({ state }) {
          const ends = state.counter("ends");
          return {
            onNewFlow: (flow) => (ends.value === 0 ? Continue : flow.deny("after the end")),
            onFlowEnd: (flow) => ends.add(flow.reason === "unserved" && flow.service === "shop/web" ? 1 : 0),
          };
        },
      });`,
    );
    const canary = { vips: [vip("shop/canary", CANARY_VIP, "tcp", [CANARY])] };
    const back = { vips: [vip("shop/web", VIP, "tcp", WEB)] };
    const result = await run([{ module: gone }], [frame({}), canary, back, frame({ port: 2 })]);
    expect(result.results.map(({ verdict }) => verdict)).toEqual(["tx", "drop"]);
  });
});
