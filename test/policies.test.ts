/** Policy modules through the pipeline, as `sluice replay` runs them: those that come with Sluice, and some that misbehave. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { replayLine } from "../src/cli/replay.ts";
import type { ScenarioResult } from "../src/replay/replay.ts";
import { segmentFrame } from "./fixtures/segments.ts";

const WAN_MAC = "02:00:00:00:0a:01";
const CLIENT_MAC = "02:00:00:00:0a:00";
const VIP = "198.51.100.10";
const CANARY_VIP = "198.51.100.11";
const WEB = ["10.2.0.2", "10.2.0.3"];
const CANARY = "10.2.0.9";
const SYN = 0x02;

const folder = mkdtempSync(join(tmpdir(), "sluice-policies-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Policy {
  readonly module: string;
  readonly options?: object;
  readonly onError?: "allow" | "deny";
}

interface Flow {
  readonly client?: string;
  readonly port?: number;
  readonly protocol?: "TCP" | "UDP";
  readonly payload?: Uint8Array;
}

const frame = ({ client = "203.0.113.5", port = 40_000, protocol = "TCP", payload }: Flow) => ({
  iface: "wan",
  frame: Buffer.from(
    segmentFrame({
      destinationMac: WAN_MAC,
      sourceMac: CLIENT_MAC,
      source: client,
      destination: VIP,
      sourcePort: port,
      destinationPort: 80,
      protocol,
      flags: SYN,
      ...(payload === undefined ? {} : { payload }),
    }),
  ).toString("hex"),
});

const vip = (service: string, addr: string, proto: string, backends: readonly string[], mode = "nat") => ({
  service,
  addr,
  proto,
  port: 80,
  mode,
  backends: backends.map((backend) => ({ addr: backend, port: 8080 })),
});

/** Runs a scenario on a node that serves shop/web (two backends) and shop/canary. */
async function run(
  policies: readonly Policy[],
  frames: readonly object[],
  web: readonly string[] = WEB,
  mode = "nat",
): Promise<ScenarioResult> {
  const scenario = {
    id: "policies",
    node: {
      ifaces: {
        wan: { mac: WAN_MAC, ipv4: "10.1.0.1/16", mtu: 1500 },
        lan: { mac: "02:00:00:00:0b:00", ipv4: "10.2.0.1/16", mtu: 1500 },
      },
      routes: [
        { dst: "0.0.0.0/0", iface: "wan", via: "10.1.0.2" },
        { dst: "10.2.0.0/16", iface: "lan" },
      ],
      neighbors: Object.fromEntries(
        [...WEB, CANARY, "10.1.0.2"].map((address, index) => [address, `02:00:00:00:0b:1${index}`]),
      ),
      owned_addrs: [VIP, CANARY_VIP],
    },
    vips: [
      vip("shop/web", VIP, "tcp", web, mode),
      vip("shop/web", VIP, "udp", web),
      vip("shop/canary", CANARY_VIP, "tcp", [CANARY]),
    ],
    policies: policies.map((policy, index) => ({ name: `p${index}`, ...policy })),
    frames,
  };
  return JSON.parse(await replayLine(JSON.stringify(scenario), join(folder, "scenario.jsonl:1")));
}

/** Where each frame went: a backend's address, or why it did not. */
async function outcomes(
  policies: readonly Policy[],
  flows: readonly (Flow | { wait: number })[],
  web = WEB,
  mode = "nat",
) {
  const steps = flows.map((flow) => ("wait" in flow ? { advanceSeconds: flow.wait } : frame(flow)));
  const result = await run(policies, steps, web, mode);
  if ("error" in result) throw new Error(String(result.error));
  return result.results.map(({ frame: sent, reason }) =>
    sent === undefined ? reason! : [...Buffer.from(sent, "hex").subarray(30, 34)].join("."),
  );
}

function module(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return `./${name}`;
}

const policy = (hook: string) => `
  import { Allow, Continue, definePolicy } from "sluice/policy";
  export default definePolicy({ version: "1", create: () => ({ onNewFlow(flow) { ${hook} } }) });
`;

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

  test("is refused when its create never returns", async () => {
    const stuck = module("stuck.ts", `export default { version: "1", create() { for (;;); } };`);
    expect(await run([{ module: stuck }], [])).toMatchObject({ error: expect.stringContaining("has not returned") });
  });
});
