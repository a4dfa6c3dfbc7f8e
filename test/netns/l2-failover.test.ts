import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WhoAnswer } from "../../src/announcer/announcer-message.ts";
import { ask, tell } from "../../src/api/client.ts";
import { HttpProber } from "../lab/http-prober.ts";
import {
  agreed,
  followed,
  type L2Node,
  type L2Segment,
  l2Segment,
  l2Status,
  running,
  startGateway,
  startGateways,
  stopGateway,
  WEB,
} from "../lab/l2-segment.ts";
import { Lab } from "../lab/lab.ts";
import { waitFor } from "../lab/wait-for.ts";

const IS_LONG = Boolean(process.env["SLUICE_LONG"]);
const KILLS = IS_LONG ? 20 : 2;
const RESTARTS = IS_LONG ? 5 : 1;
const OUTAGE_MILLISECONDS = 1000;
/** A request is given up after this long, so all that began earlier have been told about. */
const PATIENCE_MILLISECONDS = 2600;
/** So that connections begin at each owner. */
const BETWEEN_MOVES_MILLISECONDS = 1000;
const STRANGER = "0a:de:ad:be:ef:01";

const lab = new Lab("sln3");
let segment: L2Segment;
const probers: Record<4 | 6, HttpProber[]> = { 4: [], 6: [] };

beforeAll(async () => {
  segment = await l2Segment(lab);
  await startGateways(segment, segment.nodes.slice(0, 5));
  for (const from of [segment.client, segment.far]) {
    probers[4].push(new HttpProber(from, `http://${WEB[4]}/`));
    probers[6].push(new HttpProber(from, `http://[${WEB[6]}]/`));
  }
  await Promise.all([...probers[4], ...probers[6]].map((prober) => prober.answered()));
}, 120_000);
afterAll(() => lab.close());

/** From `moment` to the first answer to a request that began after `gone`, on the link and behind the router. */
async function outages(family: 4 | 6, moment: number, gone: number): Promise<number[]> {
  const after = await Promise.all(probers[family].map((prober) => prober.answeredAfter(gone)));
  return after.map((milliseconds) => milliseconds + gone - moment);
}

async function ownerOf(family: 4 | 6): Promise<L2Node> {
  const name = (await agreed(segment, 30)).get(WEB[family]);
  return segment.nodes.find((node) => node.name === name)!;
}

/** As `sluice l2 move` asks for it; six programs that start beside the load would take longer than the load lasts. */
async function move(family: 4 | 6, to: L2Node): Promise<void> {
  const { socket } = (await ownerOf(family)).gateway!;
  await tell(socket, `/v1/l2/move?address=${WEB[family]}&node=${to.name}`);
  const isThere = async () => (await ownerOf(family)) === to;
  await waitFor(`${to.name} to own ${WEB[family]}`, isThere, { timeoutSeconds: 30 });
}

/** The requests of all clients that began in a span and were not answered; waits until all of them must have been. */
async function failed(from: number): Promise<unknown[]> {
  const to = Date.now();
  await sleep(PATIENCE_MILLISECONDS);
  return [...probers[4], ...probers[6]].flatMap((prober) => prober.failed(from, to));
}

function macOf({ namespace }: L2Node): string {
  return /link\/ether (\S+)/.exec(namespace.run(["ip", "link", "show", "net0"]))![1]!;
}

/** Addresses for which more than one node answers, by what the nodes themselves say. */
async function saidTwice(): Promise<string[]> {
  const statuses = await Promise.all(running(segment).map(l2Status));
  const answers = statuses.flatMap(({ owners }) => owners.filter(({ answersHere }) => answersHere.length > 0));
  const counts = Map.groupBy(answers, ({ address }) => address);
  return [...counts].filter(([, group]) => group.length > 1).map(([address]) => address);
}

/** Addresses for which more than one node answers on the link, asked for by two of them: no node hears itself. */
async function answeringTwice(): Promise<string[]> {
  const askers = running(segment).slice(0, 2);
  const { owners } = await l2Status(askers[0]!);
  const answering = async ({ address }: { address: string }) => {
    const path = `/v1/l2/who?address=${address}`;
    const answers = await Promise.all(askers.map(({ gateway }) => ask<WhoAnswer[]>(gateway!.socket, path)));
    const macs = new Set(answers.flat().map(({ mac }) => mac));
    return macs.size === 1 ? [] : [`${address} is at ${[...macs].join(" and ") || "nobody"}`];
  };
  return (await Promise.all(owners.map(answering))).flat();
}

describe("an owner that is gone is followed by another within a second:", () => {
  test(`killed under load, ${KILLS} times`, { timeout: 30_000 * KILLS }, async () => {
    const load = segment.client.start("wrk", ["wrk", "-t1", "-c1", "-d3600s", `http://${WEB[4]}/`]);
    const measured: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const family = kill % 2 === 0 ? 4 : 6;
      const owner = await ownerOf(family);
      const moment = Date.now();
      await stopGateway(owner, "SIGKILL");
      const gone = Date.now();
      await followed(segment, WEB[family], owner.name);
      measured.push(Date.now() - moment);
      measured.push(...(await outages(family, moment, gone)));
      await startGateway(segment, owner);
    }
    await load.stop("SIGKILL");
    process.stdout.write(`outages after kills: ${measured.join(", ")} ms\n`);
    expect(Math.max(...measured)).toBeLessThan(OUTAGE_MILLISECONDS);
  });

  test("its link without a carrier", async () => {
    const measured: number[] = [];
    for (const family of [4, 6] as const) {
      const owner = await ownerOf(family);
      const moment = Date.now();
      segment.bridge.ip(`link set ${owner.bridgePort} down`);
      measured.push(...(await outages(family, moment, Date.now())));
      segment.bridge.ip(`link set ${owner.bridgePort} up`);
    }
    process.stdout.write(`outages after carrier losses: ${measured.join(", ")} ms\n`);
    expect(Math.max(...measured)).toBeLessThan(OUTAGE_MILLISECONDS);
  });
});

describe("nothing is lost", () => {
  test("when an operator moves addresses under load, from node to node and back", async () => {
    const began = Date.now();
    const load = segment.client.start("wrk", ["wrk", "-t1", "-c4", "-d15s", `http://${WEB[4]}/`]);
    for (const family of [4, 6] as const) {
      const first = await ownerOf(family);
      // The connections of the first stay there, through the hands of all that come after it.
      const others = segment.nodes.slice(0, 5).filter((node) => node !== first);
      for (const to of [others[0]!, others[1]!, first]) {
        await move(family, to);
        await sleep(BETWEEN_MOVES_MILLISECONDS);
      }
    }
    expect(await failed(began)).toEqual([]);
    await load.exited;
    expect(load.log()).toContain("requests in");
    expect(load.log()).not.toMatch(/Socket errors|Non-2xx/);
  });

  test(`in a rolling restart, of ${RESTARTS} nodes`, { timeout: 30_000 * RESTARTS }, async () => {
    const began = Date.now();
    for (let restart = 0; restart < RESTARTS; restart++) {
      const owner = IS_LONG ? segment.nodes[restart]! : await ownerOf(4);
      await stopGateway(owner, "SIGTERM");
      await startGateway(segment, owner);
      await agreed(segment, 30);
    }
    expect(await failed(began)).toEqual([]);
  });
});

describe("one owner for each address", () => {
  test("a second after a parted link has healed", async () => {
    const { bridge, nodes } = segment;
    bridge.ip("link add apart type bridge mcast_snooping 0 forward_delay 0 stp_state 0", "link set apart up");
    for (const { bridgePort } of nodes.slice(3, 5)) bridge.ip(`link set ${bridgePort} master apart`);
    const isParted = async () => (await saidTwice()).length > 0;
    await waitFor("both parts to own addresses", isParted, { seen: saidTwice });
    for (const { bridgePort } of nodes.slice(3, 5)) bridge.ip(`link set ${bridgePort} master bridge`);
    await sleep(1000);
    expect(await saidTwice()).toEqual([]);
    expect(await answeringTwice()).toEqual([]);
    const owner = await ownerOf(4);
    const answers = segment.client.run(["arping", "-c", "3", "-w", "3", "-I", "eth0", WEB[4]]);
    const mac = macOf(owner);
    expect(new Set(answers.toLowerCase().match(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g))).toEqual(new Set([mac]));
  });

  test("also when a stranger says that it is his: that is told, and answered", async () => {
    const owner = await ownerOf(4);
    const { client } = segment;
    client.ip(`link add stranger address ${STRANGER} link eth0 type macvlan mode bridge`);
    client.ip("link set stranger up");
    client.sysctl("net.ipv4.ip_nonlocal_bind", 1);
    client.run(["arping", "-A", "-c", "2", "-I", "stranger", "-s", WEB[4], WEB[4]]);
    const isTold = () => owner.gateway!.process.log().includes(STRANGER);
    await waitFor("the owner to notice", isTold, { seen: () => owner.gateway!.process.log().slice(-1000) });
    expect((await ownerOf(4)).name).toBe(owner.name);
    const mac = macOf(owner);
    const cached = () => segment.router.run(["ip", "neigh", "show", WEB[4], "dev", "to-lan"]);
    await waitFor("the router to know the owner again", () => cached().includes(mac), { seen: cached });
  });
});
