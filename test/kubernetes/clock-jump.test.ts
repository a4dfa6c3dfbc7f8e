/**
 * Clocks that jump: a leader goes on leading, nobody takes its place early, and Services keep what they have. Time spans are
 * measured on the monotonic clock; the other one only stands in what people read.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { ipPool, lbService } from "../fixtures/kubernetes-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";
import { addresses, joinCluster, type TestMember } from "./fixtures/member.ts";

const HOUR = 3_600_000;
/** Whoever went by the jumping clock would act at once; a busy machine must not look like that. */
const WATCHED_MILLISECONDS = 3_000;
const PATIENT_LEASE = { durationMilliseconds: 20_000, renewDeadlineMilliseconds: 15_000, renewPeriodMilliseconds: 500 };

let server: ApiServer;
let members: TestMember[];

beforeAll(async () => {
  server = await ApiServer.start();
  server.apply(ipPool("pool", ["10.9.0.0/24"]));
  members = ["n1", "n2"].map((name) => joinCluster(server, name, { leaseTimes: PATIENT_LEASE }));
  await waitFor("a leader", () => members.some(({ member }) => member.status.leads));
});
afterEach(() => vi.useRealTimers());
afterAll(async () => {
  await Promise.all((members ?? []).map(({ member }) => member.close()));
  await server?.close();
});

const leaders = () => members.filter(({ member }) => member.status.leads).map(({ member }) => member.status.leader);

test.each([
  ["forward by ten hours", 10 * HOUR],
  ["back by ten hours", -10 * HOUR],
  ["forward by a second", 1000],
])("a clock that jumps %s changes no leader and no address", async (how, jump) => {
  const before = leaders();
  expect(before).toHaveLength(1);
  const held = await addresses(members[0]!.member);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + jump });
  const seen = new Set<string>();
  const until = performance.now() + WATCHED_MILLISECONDS;
  while (performance.now() < until) {
    seen.add(JSON.stringify(leaders()));
    await sleep(50);
  }
  expect([...seen]).toEqual([JSON.stringify(before)]);
  const name = `s-${how.replaceAll(" ", "-")}`;
  server.apply(lbService(name));
  await waitFor("an address", async () => (await addresses(members[0]!.member)).get(`default/${name}`)?.length === 1);
  const after = await addresses(members[0]!.member);
  for (const [service, own] of held) expect(after.get(service), service).toEqual(own);
  expect(new Set([...after.values()].flat()).size).toBe([...after.values()].flat().length);
});
