/**
 * Policies that misbehave, under traffic: each is put to work for one Service while requests to it and to another one go
 * on, each on a connection of its own. Whatever the policy does, nobody's request to the other Service is refused or lost.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { curlMany } from "../lab/curl.ts";
import { HttpProber } from "../lab/http-prober.ts";
import { CANARY_VIP, PolicyLab } from "../lab/policy-lab.ts";
import { VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

/** A SYN that the worker of a hook in a loop never saw comes again after a second, and finds the next worker. */
const LONGEST_WAIT_MILLISECONDS = 2400;

let lab: PolicyLab;
let other: HttpProber;

beforeAll(async () => {
  lab = await PolicyLab.start("slq");
  other = new HttpProber(lab.network.client, `http://${CANARY_VIP}/`);
  await other.answered();
});

afterAll(async () => {
  await other?.stop();
  lab?.close();
});

const state = async () => (await lab.policies())[0]!;

/** Runs `during` with a policy in force, and looks what the other Service's requests have suffered. */
async function underTraffic(name: string, body: string, during: () => Promise<void>, more = ""): Promise<number> {
  lab.write(name, body);
  const from = Date.now();
  await lab.deploy(name, `./${name}.ts`, more);
  try {
    await during();
  } finally {
    await lab.remove(name);
  }
  const to = Date.now();
  await waitFor("the last requests", () => other.probes().some(({ began }) => began > to));
  expect(other.failed(from, to)).toEqual([]);
  const suffered = other.probes().filter(({ began }) => began >= from && began < to);
  expect(suffered.length).toBeGreaterThan(10);
  return Math.max(...suffered.map(({ began, ended }) => ended - began));
}

const requests = async (count: number) =>
  (await curlMany(lab.network.client, `http://${VIP}/`, count)).filter((code) => code !== 200);

describe("a policy that", () => {
  test("throws is counted, and switched off after a hundred times; its own Service goes by onError", async () => {
    await underTraffic("throws", 'throw new Error("oops");', async () => {
      expect(await requests(200)).toEqual([]);
      expect(await state()).toMatchObject({ lastError: "Error: oops", stats: { off: 1, errors: 100 } });
    });
    const deny = () => waitFor("denial", () => lab.ask() === "");
    await underTraffic("throws", 'throw new Error("oops");', async () => void (await deny()), "  onError: deny\n");
  });

  test("answers what is no answer comes to the same", async () => {
    await underTraffic("wrong", 'return { deny: "everybody" };', async () => {
      expect(await requests(200)).toEqual([]);
      expect(await state()).toMatchObject({ lastError: expect.stringMatching(/no Answer/), stats: { off: 1 } });
    });
  });

  test("is slow is counted, and slows down nobody for long", async () => {
    const slow = "const end = performance.now() + 1; while (performance.now() < end); return Continue;";
    await underTraffic("slow", slow, async () => {
      expect(await requests(200)).toEqual([]);
      const { stats } = await state();
      expect(stats.overBudget).toBeGreaterThan(0);
      expect(stats.longest).toBeGreaterThan(1e6);
      expect(stats.off).toBe(0);
    });
  });

  test("never returns is switched off, and its worker replaced before a client gives up", async () => {
    const longest = await underTraffic("loops", "for (;;);", async () => {
      lab.ask();
      await waitFor("the watchdog", async () => (await state()).stats.off === 1);
      expect((await state()).lastError).toMatch(/has not returned/);
      expect(await requests(20)).toEqual([]);
    });
    expect(longest).toBeLessThan(LONGEST_WAIT_MILLISECONDS);
  });

  test("takes ever more memory is switched off, and its worker replaced", async () => {
    const hungry = "const all = []; for (;;) all.push(new Array(10000).fill({}));";
    const longest = await underTraffic("hungry", hungry, async () => {
      lab.ask();
      await waitFor("the end", async () => (await state()).stats.off === 1, { timeoutSeconds: 20 });
      expect((await state()).lastError).toMatch(/memory|has not returned/);
      expect(await requests(20)).toEqual([]);
    });
    expect(longest).toBeLessThan(LONGEST_WAIT_MILLISECONDS);
    expect(lab.gateway.process.exit()).toBeNull();
  });
});
