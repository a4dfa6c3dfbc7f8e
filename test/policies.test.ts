/** Policy modules through the pipeline: those that come with Sluice, several together, and some that misbehave. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CANARY, frame, policy, policyScenarios, VIP, WEB } from "./fixtures/policy-scenarios.ts";

const { folder, run, outcomes, module } = policyScenarios();

describe("the policies that come with Sluice", () => {
  test("a prefix list denies its clients and no others", async () => {
    const policies = [{ module: "builtin:prefix-list", options: { prefixes: ["203.0.113.0/29"] } }];
    expect(await outcomes(policies, [{ client: "203.0.113.7" }, { client: "203.0.113.8" }])).toEqual([
      "PolicyDenied",
      expect.stringMatching(/^10\.2\.0\./),
    ]);
  });

  test("a prefix list from a file may hold 100,000 prefixes, and may be the only ones allowed", async () => {
    const prefixes = Array.from({ length: 100_000 }, (_, n) => `100.${64 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}/32`);
    writeFileSync(join(folder, "allowed.txt"), `# customers\n${prefixes.join("\n")}\n`);
    const policies = [{ module: "builtin:prefix-list", options: { action: "allow-only", file: "allowed.txt" } }];
    const flows = [{ client: "100.64.0.0" }, { client: "100.65.134.159" }, { client: "100.65.134.160" }];
    const [first, last, beyond] = await outcomes(policies, flows);
    expect([first, last]).toEqual(Array(2).fill(expect.stringMatching(/^10\.2\.0\./)));
    expect(beyond).toBe("PolicyDenied");
  });

  test("a rate limit lets a burst through, then as many as fit in the time", async () => {
    const policies = [{ module: "builtin:rate-limit", options: { perSecond: 1, burst: 2 } }];
    const flows = [1, 2, 3].map((port) => ({ port }));
    const answers = await outcomes(policies, [
      ...flows,
      { wait: 1 },
      { port: 4 },
      { port: 5 },
      { client: "203.0.113.6" },
    ]);
    expect(answers.map((answer) => answer === "PolicyDenied")).toEqual([false, false, true, false, true, false]);
  });

  test("a canary takes its clients and about its share of the others, always the same ones", async () => {
    const policies = [
      { module: "builtin:canary", options: { service: "shop/canary", percent: 20, clients: ["203.0.113.5"] } },
    ];
    const clients = Array.from({ length: 200 }, (_, n) => `192.0.2.${n}`);
    const flows = [
      {},
      ...clients.map((client) => ({ client })),
      ...clients.map((client) => ({ client, port: 50_000 })),
    ];
    const [first, ...others] = await outcomes(policies, flows);
    expect(first).toBe(CANARY);
    const once = others.slice(0, 200).map((answer) => answer === CANARY);
    expect(others.slice(200).map((answer) => answer === CANARY)).toEqual(once);
    expect(once.filter(Boolean).length).toBeGreaterThan(15);
    expect(once.filter(Boolean).length).toBeLessThan(70);
  });

  test("a cap fills the backends, then lets another Service take the rest, or nobody", async () => {
    const flows = [1, 2, 3, 4, 5].map((port) => ({ port }));
    const capped = await outcomes([{ module: "builtin:connection-cap", options: { flows: 2 } }], flows);
    expect(capped.toSorted()).toEqual([...WEB, ...WEB, "PolicyDenied"].toSorted());
    const options = { flows: 1, overflow: "shop/canary" };
    const overflowing = await outcomes([{ module: "builtin:connection-cap", options }], flows.slice(0, 3));
    expect(overflowing.toSorted()).toEqual([...WEB, CANARY].toSorted());
  });

  test("maintenance answers for a Service without backends, and for all but its testers when asked to", async () => {
    const options = { service: "shop/canary", except: ["203.0.113.5/32"] };
    expect(await outcomes([{ module: "builtin:maintenance", options }], [{}, { client: "203.0.113.6" }])).toEqual([
      expect.stringMatching(/^10\.2\.0\.[23]$/),
      CANARY,
    ]);
    const always = { service: "shop/canary", onlyWithoutBackend: true };
    expect(await outcomes([{ module: "builtin:maintenance", options: always }], [{}], [])).toEqual([CANARY]);
  });

  test("opening hours deny what comes outside of them", async () => {
    const all = { open: [{ from: "00:00", to: "00:00" }] };
    const never = {
      open: [
        {
          days: [["sun", "mon", "tue", "wed", "thu", "fri", "sat"][(new Date().getUTCDay() + 3) % 7]],
          from: "00:00",
          to: "00:01",
        },
      ],
    };
    expect(await outcomes([{ module: "builtin:time-of-day", options: all }], [{}])).toEqual([
      expect.stringMatching(/^10\.2\.0\./),
    ]);
    expect(await outcomes([{ module: "builtin:time-of-day", options: never }], [{}])).toEqual(["PolicyDenied"]);
  });

  test("QUIC packets of a moved connection go to the server that their connection ID names", async () => {
    const servers = WEB.map((address, index) => ({ id: 0x0100 + index, address }));
    const policies = [{ module: "builtin:quic-connection-id", options: { servers } }];
    const short = (id: number) => Uint8Array.of(0x40, 0x00, id >> 8, id & 255, 9, 9, 9, 9, 9);
    const flows = Array.from({ length: 20 }, (_, port) => ({ port: port + 1, protocol: "UDP" as const }));
    for (const [index, address] of WEB.entries()) {
      const answers = await outcomes(
        policies,
        flows.map((flow) => ({ ...flow, payload: short(0x0100 + index) })),
      );
      expect(new Set(answers)).toEqual(new Set([address]));
    }
    const unknown = await outcomes(
      policies,
      flows.map((flow) => ({ ...flow, payload: short(0x0900) })),
    );
    expect(new Set(unknown).size).toBe(2);
  });
});

test("the module that docs/policies.md begins with does what is said of it", async () => {
  const guide = readFileSync(new URL("../docs/policies.md", import.meta.url), "utf8");
  const text = /```ts\n(.*?)```/s.exec(guide)![1]!;
  const policies = [{ module: module("guide.ts", text), options: { denied: ["203.0.113.7"] } }];
  expect(await outcomes(policies, [{ client: "203.0.113.7" }, { client: "203.0.113.8" }])).toEqual([
    "PolicyDenied",
    expect.stringMatching(/^10\.2\.0\./),
  ]);
});

describe("several policies", () => {
  test("are asked in order until one decides", async () => {
    const deny = module("deny.ts", policy(`return flow.deny("no");`));
    const allow = module("allow.ts", policy("return Allow;"));
    const nothing = module("nothing.ts", policy("return Continue;"));
    expect(await outcomes([{ module: nothing }, { module: allow }, { module: deny }], [{}])).toEqual([
      expect.stringMatching(/^10\.2\.0\./),
    ]);
    expect(await outcomes([{ module: nothing }, { module: deny }, { module: allow }], [{}])).toEqual(["PolicyDenied"]);
  });

  test("see the flow as it is", async () => {
    const seen = module(
      "seen.ts",
      policy(`
        const text = [flow.client, flow.clientPort, flow.vip, flow.vipPort, flow.protocol, flow.service, flow.interface,
          flow.backendCount, flow.backendAddress(0).toString().slice(0, 5), flow.backendPort(1), flow.payloadLength].join(" ");
        return text === "203.0.113.5 40000 ${VIP} 80 TCP shop/web wan 2 10.2. 8080 6" ? flow.useBackend(1) : flow.deny(text);
      `),
    );
    expect(await outcomes([{ module: seen }], [{}])).toEqual([expect.stringMatching(/^10\.2\.0\./)]);
  });
});

describe("a policy that misbehaves", () => {
  test.each([
    ["throws", `throw new Error("oops");`],
    ["answers nothing", ""],
    ["answers text", `return "deny";`],
    ["names a backend that isn't there", "return flow.useBackend(7);"],
    ["names a Service that isn't there", `return flow.useService("shop/none");`],
  ])("by one that %s comes to what onError says", async (name, hook) => {
    const path = module(`${name.replaceAll(/\W/g, "-")}.ts`, policy(hook));
    expect(await outcomes([{ module: path, onError: "deny" }], [{}])).toEqual(["PolicyDenied"]);
    expect(await outcomes([{ module: path, onError: "allow" }], [{}])).toEqual([expect.stringMatching(/^10\.2\.0\./)]);
  });

  test("is refused with a sentence when its options are wrong", async () => {
    const result = await run([{ module: "builtin:rate-limit", options: { perSecond: "many" } }], []);
    expect(result).toMatchObject({ error: expect.stringContaining("spec.options.perSecond: must be a number") });
  });

  test("is refused with a sentence when there is no such module, or none that is one", async () => {
    expect(await run([{ module: "./nowhere.ts" }], [])).toMatchObject({ error: expect.stringContaining("nowhere.ts") });
    expect(await run([{ module: "builtin:nothing" }], [])).toMatchObject({
      error: expect.stringContaining('no built-in policy "nothing"'),
    });
    const other = module("other.ts", "export default 7;");
    expect(await run([{ module: other }], [])).toMatchObject({
      error: expect.stringContaining("its default export is no policy"),
    });
  });

  test("is refused when it wants more state than there may be", async () => {
    const text = `
      import { Continue, definePolicy } from "sluice/policy";
      export default definePolicy({
        version: "1",
        create({ state }) {
          state.clients("all of IPv4, nearly", { clients: 2 ** 24, words: 8 });
          return { onNewFlow: () => Continue };
        },
      });`;
    const answer = await run([{ module: module("greedy.ts", text) }], [frame({})]);
    expect(answer).toMatchObject({ error: expect.stringMatching(/would be more than 256 MiB/) });
  });

  test("is refused when its create never returns", async () => {
    const stuck = module("stuck.ts", `export default { version: "1", create() { for (;;); } };`);
    expect(await run([{ module: stuck }], [])).toMatchObject({ error: expect.stringContaining("has not returned") });
  });
});
