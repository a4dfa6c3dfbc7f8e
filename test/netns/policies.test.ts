/**
 * Policy modules in a running gateway, as the guide tells a newcomer: the template is copied, tested offline, deployed by
 * adding a manifest, seen at work on real connections, in the monitor and in metrics, changed live.
 */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FrameEvent } from "../../src/trace/frame-event.ts";
import { SLUICE } from "../lab/gateway.ts";
import { OTHER_CLIENT, PolicyLab } from "../lab/policy-lab.ts";
import { CLIENT_ADDRESS, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

const TEMPLATE = join(import.meta.dirname, "..", "..", "templates", "policy");

let lab: PolicyLab;

beforeAll(async () => {
  lab = await PolicyLab.start("slp");
});

afterAll(() => lab?.close());

/** What `sluice monitor` shows meanwhile of frames with these filters: so many of them. */
async function shown(filters: readonly string[], count: number, ask: () => void): Promise<FrameEvent[]> {
  const { node } = lab.network;
  const words = ["monitor", ...filters, "--sample", "1", "--count", `${count}`, "-o", "json"];
  const looking = node.tryLater([SLUICE, ...words, "--socket", lab.gateway.socket], { timeoutSeconds: 30 });
  let ended = false;
  void looking.finally(() => {
    ended = true;
  });
  while (!ended) {
    ask();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { stdout } = await looking;
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as FrameEvent);
}

test("a newcomer copies the template, tests it offline, and it passes", () => {
  const folder = join(lab.configuration.folder, "my-policy");
  cpSync(TEMPLATE, folder, { recursive: true });
  const tests = lab.network.client.try(["env", `SLUICE=${SLUICE}`, "npm", "--prefix", folder, "test"]);
  expect(tests.stdout).toMatch(/pass 3/);
  expect(tests.status).toBe(0);
});

test("deployed by a manifest it denies one client and sends another to the canary, as monitor and metrics show", async () => {
  expect(lab.answers()).toEqual(new Set(["pod1", "pod2"]));
  // The template's own manifest, with the reader's Service and clients in it.
  const template = readFileSync(join(lab.configuration.folder, "my-policy", "sluice-policy.yaml"), "utf8");
  const manifest = template
    .replace("namespace: shop", "namespace: default")
    .replace("name: web", "name: my-service")
    .replace("203.0.113.66", OTHER_CLIENT)
    .replace("203.0.113.7", CLIENT_ADDRESS)
    .replace("shop/canary", "default/canary");
  lab.configuration.write("my-policy.yaml", manifest);
  await waitFor("version 1", async () => (await lab.policies()).some(({ version }) => version === "1"));
  expect(lab.answers()).toEqual(new Set(["pod2"]));
  expect(lab.ask(OTHER_CLIENT)).toBe("");
  const [status] = await lab.policies();
  expect(status).toMatchObject({ name: "my-policy", version: "1", problem: null, reasons: ["denied client"] });
  expect(status!.stats.serviceChosen).toBeGreaterThanOrEqual(10);
  expect(status!.stats.denied).toBeGreaterThanOrEqual(1);

  const [denied] = await shown(["--policy", "my-policy", "--verdict", "dropped"], 1, () => lab.ask(OTHER_CLIENT));
  expect(denied).toMatchObject({
    ...{ client: OTHER_CLIENT, destination: `${VIP}:80`, reason: "PolicyDenied" },
    policy: { policy: "my-policy", answer: "deny", reason: "denied client" },
  });
  const sent = await shown(["--policy", "my-policy", "--client", CLIENT_ADDRESS], 4, () => lab.ask());
  expect(sent.find(({ flags }) => flags === "S")).toMatchObject({
    ...{ verdict: "forwarded", service: "default/canary", backend: "10.2.3.6:80" },
    policy: { policy: "my-policy", answer: "useService" },
  });

  const metrics = lab.network.node.run(["curl", "-sS", "--unix-socket", lab.gateway.socket, "http://sluice/metrics"]);
  const value = (answer: string) =>
    Number(
      new RegExp(`sluice_policy_answers_total\\{policy="my-policy",answer="${answer}"\\} (\\d+)`).exec(metrics)![1],
    );
  expect(value("service")).toBeGreaterThanOrEqual(10);
  expect(value("deny")).toBeGreaterThanOrEqual(2);
  expect(lab.gateway.ask("policies")).toMatch(/my-policy denies: denied client/);
  // Those from before the policy are there too.
  expect((await lab.flows()).some(({ policy }) => policy === "my-policy")).toBe(true);
});

test("its manifest edited, it does at once what that says", async () => {
  const manifest = readFileSync(join(lab.configuration.folder, "my-policy.yaml"), "utf8");
  lab.configuration.write("my-policy.yaml", manifest.replace(`["${OTHER_CLIENT}"]`, "[]"));
  await waitFor("the other client to be served", () => lab.ask(OTHER_CLIENT) !== "");
  lab.configuration.write("my-policy.yaml", manifest);
  await waitFor("the other client to be denied", () => lab.ask(OTHER_CLIENT) === "");
});

test("changed on disk it changes at once; a version that does not load leaves the old one in force", async () => {
  const file = join(lab.configuration.folder, "my-policy", "policy.ts");
  const text = readFileSync(file, "utf8");
  const changed = text
    .replace('version: "1"', 'version: "2"')
    .replace("return Continue;", 'return flow.deny("nobody");')
    .replace("testers.has(flow.client)", "false");
  writeFileSync(file, changed);
  await waitFor("version 2", async () => (await lab.policies()).some(({ version }) => version === "2"));
  expect(lab.ask()).toBe("");
  writeFileSync(file, "this is no TypeScript");
  await waitFor("the complaint", async () => (await lab.policies()).some(({ problem }) => problem !== null));
  expect((await lab.policies())[0]!.problem).toMatch(/version 2 stays in force/);
  expect(lab.ask()).toBe("");
  writeFileSync(file, text);
  await waitFor("version 1", async () =>
    (await lab.policies()).some(({ version, problem }) => version === "1" && problem === null),
  );
  expect(lab.answers()).toEqual(new Set(["pod2"]));
  await lab.remove("my-policy");
  expect(lab.answers()).toEqual(new Set(["pod1", "pod2"]));
});

test("open flows are asked about again only where that is configured", async () => {
  lab.write("open", "return Continue;");
  for (const revalidate of ["never", "on-change"]) {
    await lab.deploy("open", "./open.ts", `  revalidate: ${revalidate}\n`);
    const connection = lab.network.client.start("held", ["bash", "-c", `exec 3<>/dev/tcp/${VIP}/80; read -u 3`]);
    const isOpen = async () => (await lab.flows()).some(({ state }) => state === "established");
    await waitFor("the flow", isOpen);
    const { version } = (await lab.policies())[0]!;
    lab.write("open", "return Continue;", `${version}+`);
    await waitFor("the new version", async () => (await lab.policies())[0]!.version === `${version}+`);
    expect(await isOpen()).toBe(revalidate === "never");
    await connection.stop("SIGKILL");
    await lab.remove("open");
  }
});

test("a flow that is captured stays with the workers, and each of its frames is shown", async () => {
  lab.write("capture", "return flow.capture();");
  await lab.deploy("capture", "./capture.ts");
  const frames = await shown(["--captured"], 12, () => lab.ask());
  expect(new Set(frames.map(({ by, policy }) => `${by} ${policy?.policy}`))).toEqual(new Set(["worker capture"]));
  expect(new Set(frames.map(({ direction }) => direction))).toEqual(new Set(["request", "reply"]));
  await lab.remove("capture");
});

test("what a policy wants of a Service is carried out, and what it is told of its flows' ends adds up", async () => {
  const ends = join(lab.configuration.folder, "ends.ts");
  writeFileSync(
    ends,
    `import { definePolicy } from "sluice/policy";
     export default definePolicy({
       version: "1",
       create: () => ({
         intent: (service) => ({ ports: service.ports.map((port) => ({ ...port,
           backends: port.backends.map((backend) => ({ ...backend, weight: backend.address === "10.2.3.5" ? 1 : 0 })) })) }),
         onFlowEnd(flow) {
           if (flow.service !== "default/my-service" || flow.backendPort !== 80) throw new Error(flow.service);
           // A frame has 54 bytes at least. How many there were depends on how patient curl is on a busy machine.
           if (flow.requestPackets < 1 || flow.requestBytes < 54 * flow.requestPackets) throw new Error("too little");
           if (flow.replyBytes < 54 * flow.replyPackets) throw new Error("too little");
           if (flow.reason !== "closed" && flow.reason !== "unserved") throw new Error(flow.reason);
         },
       }),
     });`,
  );
  await lab.deploy("ends", "./ends.ts");
  await waitFor("the weights", () => {
    const pods = lab.answers();
    return pods.size === 1 && pods.has("pod1");
  });
  const before = (await lab.policies())[0]!.stats.endsTold;
  // The flows of a Service that is no longer served end at once.
  const service = readFileSync(join(lab.configuration.folder, "service.yaml"), "utf8");
  lab.configuration.write("service.yaml", service.replace("type: LoadBalancer", "type: ClusterIP"));
  await waitFor("the ends", async () => (await lab.policies())[0]!.stats.endsTold >= before + 10);
  expect((await lab.policies())[0]).toMatchObject({ lastError: null, stats: { errors: 0 } });
  lab.configuration.write("service.yaml", service);
  await lab.remove("ends");
});
