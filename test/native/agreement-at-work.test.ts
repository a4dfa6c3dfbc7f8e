/** Nodes that agree by real sockets and timers, as `announcer/heart.ts` drives them, on the loopback interface. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Heart } from "../../src/announcer/heart.ts";
import type { OwnerAgreement } from "../../src/l2/agreement.ts";
import { DEFAULT_TIMING, listeningMilliseconds } from "../../src/l2/timing.ts";
import { waitFor } from "../lab/wait-for.ts";
import { moveIntoOwnNamespace } from "./own-namespace.ts";

moveIntoOwnNamespace();

const PORT = 9496;
const KEY = new TextEncoder().encode("the secret of this test");
const NAMES = ["a", "b", "c", "d", "e"];
/** More of each node than one datagram has room for. */
const VIPS = Array.from({ length: 500 }, (_, index) => ({
  vip: `10.0.${index >> 8}.${index & 255}`,
  candidates: NAMES,
}));
/** Timers and threads of a machine that others use too. */
const LATE_MILLISECONDS = 250;

const addressOf = (name: string) => `127.0.9.${NAMES.indexOf(name) + 1}`;

class Node {
  readonly heart: Heart;
  ticks = 0;

  constructor(name: string) {
    const own = { 4: addressOf(name), 6: null };
    this.heart = new Heart(
      {
        ...{ node: name, session: 1 + Math.floor(Math.random() * 2 ** 40), timing: DEFAULT_TIMING },
        ...{ key: KEY, port: PORT, own },
      },
      {
        addressOf,
        carryOut: () => {},
        tick: () => {
          this.ticks++;
          this.heart.hear();
          this.heart.step({ type: "tick" });
        },
        next: () => Number.POSITIVE_INFINITY,
        restsUntil: () => Number.POSITIVE_INFINITY,
        watched: [],
      },
    );
    this.heart.start();
    this.heart.step({ type: "plan", members: NAMES, vips: VIPS });
  }

  get agreement(): OwnerAgreement {
    return this.heart.agreement;
  }
}

let nodes: Node[] = [];
const loads = () => nodes.map(({ agreement }) => agreement.claims.size);
const isAgreed = () => loads().every((load) => load === VIPS.length / nodes.length);

beforeEach(async () => {
  nodes = NAMES.map((name) => new Node(name));
  await waitFor("all to own their share", isAgreed, { timeoutSeconds: 15, seen: loads });
  // Who has just begun would wait for one that goes.
  await sleep(listeningMilliseconds(DEFAULT_TIMING));
});
afterEach(() => {
  for (const node of nodes) node.heart.close();
});

test("at rest a node steps once a second, while its heartbeats go on five times a second", async () => {
  const counts = () => nodes.map(({ ticks, heart }) => ({ ticks, sent: heart.sockets!.sent }));
  const before = counts();
  await sleep(5000);
  const after = counts();
  for (const [index, { agreement }] of nodes.entries()) {
    expect(after[index]!.ticks - before[index]!.ticks).toBeLessThanOrEqual(15);
    // Counted when a rest ends.
    expect(after[index]!.sent - before[index]!.sent).toBeGreaterThan((NAMES.length - 1) * 15);
    expect(agreement.roll.living()).toHaveLength(NAMES.length - 1);
  }
  expect(isAgreed()).toBe(true);
});

test("one that is gone is missed 650 ms after its last heartbeat, and the others own what it had", async () => {
  const gone = nodes.pop()!;
  gone.heart.close();
  const total = () => loads().reduce((sum, load) => sum + load, 0);
  await waitFor("the others to own all", () => total() === VIPS.length, { everyMilliseconds: 2, seen: loads });
  const { name } = gone.agreement;
  const silence =
    performance.now() - Math.max(...nodes.map(({ agreement }) => agreement.roll.members.get(name)!.lastHeard));
  expect(silence).toBeGreaterThan(640);
  expect(silence).toBeLessThan(650 + LATE_MILLISECONDS);
  expect(loads().toSorted()).toEqual([125, 125, 125, 125]);
});

test("who was stopped while it rested gives everything up before it says anything", async () => {
  const sessions = nodes.map(({ agreement }) => agreement.session);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
  await sleep(50);
  expect(nodes.map(({ agreement }) => agreement.session)).toEqual(sessions.map((session) => session + 1));
});
