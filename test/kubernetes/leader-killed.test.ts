/** Leaders that die in the middle of their work, again and again, and what the Services have in the end. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ipPool, lbService } from "../fixtures/kubernetes-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";
import { addresses, joinCluster, type TestMember } from "./fixtures/member.ts";

const MEMBER = join(import.meta.dirname, "fixtures/member-process.ts");

let server: ApiServer;
let observer: TestMember;
const running: ChildProcess[] = [];

beforeAll(async () => {
  server = await ApiServer.start();
  server.apply(ipPool("pool", ["10.9.0.0/23"]));
  observer = joinCluster(server, "observer", { ipam: false });
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});
afterAll(async () => {
  await observer?.member.close();
  await server?.close();
});

/** Resolves when it leads. */
async function startLeader(identity: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [MEMBER, server.kubeconfig, identity], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.push(child);
  await once(child.stdout!, "data");
  return child;
}

async function createServices(from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) {
    const { status: _none, ...service } = lbService(`default/s${index}`);
    await observer.member.api.create("/api/v1/namespaces/default/services", service);
  }
}

test("three leaders killed while allocating lose nothing and give nothing twice", async () => {
  for (let round = 0; round < 3; round++) {
    const leader = await startLeader(`n${round}`);
    const creating = createServices(round * 40, round * 40 + 40);
    // Somewhere in the middle of it: by chance before a write, behind it, or while one is under way.
    await sleep(20 + Math.random() * 150);
    leader.kill("SIGKILL");
    await creating;
  }
  await startLeader("last");
  const given = async () => [...(await addresses(observer.member)).values()].flat();
  await waitFor("all addresses", async () => (await given()).length === 120, { timeoutSeconds: 30 });
  expect(new Set(await given()).size).toBe(120);
}, 60_000);

test("a leader that is stopped for longer than its lease and then goes on gives nothing that its successor gave", async () => {
  const before = await addresses(observer.member);
  const leader = await startLeader("stopped");
  const creating = createServices(200, 240);
  await sleep(60);
  leader.kill("SIGSTOP");
  await creating;
  await startLeader("successor");
  const given = async () => [...(await addresses(observer.member)).values()].flat();
  await waitFor("all addresses", async () => (await given()).length === 160, { timeoutSeconds: 30 });
  leader.kill("SIGCONT");
  await sleep(2_000);
  expect((await given()).length).toBe(160);
  expect(new Set(await given()).size).toBe(160);
  const after = await addresses(observer.member);
  for (const [service, held] of before) expect(after.get(service), service).toEqual(held);
}, 60_000);
