/** Nodes that agree by real sockets and timers, as `announcer/announcing-node.ts` drives them, on the loopback interface. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HeartbeatSockets } from "../../src/announcer/heartbeat-sockets.ts";
import { Pulse } from "../../src/announcer/pulse.ts";
import { OwnerAgreement } from "../../src/l2/agreement.ts";
import type { AgreementEvent, SignOfLife } from "../../src/l2/event.ts";
import type { Heartbeat } from "../../src/l2/heartbeat.ts";
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
  readonly agreement: OwnerAgreement;
  ticks = 0;
  looks = 0;
  lastSent = 0;
  readonly #sockets: HeartbeatSockets;
  readonly #pulse: Pulse;

  constructor(name: string) {
    this.agreement = new OwnerAgreement(
      name,
      1 + Math.floor(Math.random() * 2 ** 40),
      DEFAULT_TIMING,
      performance.now(),
    );
    const ears = {
      session: () => this.agreement.session,
      take: (message: Heartbeat, at: number) => this.#step({ type: "message", message, at }),
      hasHeard: (other: string, at: number) => this.agreement.hasHeard(other, at),
      livesIn: (other: string, session: number) => this.agreement.livesIn(other, session),
      again: (signs: readonly SignOfLife[]) => this.#step({ type: "again", signs }),
    };
    this.#sockets = new HeartbeatSockets(KEY, PORT, ears, { 4: addressOf(name), 6: null });
    this.#pulse = new Pulse(
      (now) => this.agreement.nextDeadline(now),
      () => this.#tick(),
    );
    this.#step({ type: "plan", members: NAMES, vips: VIPS });
  }

  close(): void {
    this.#pulse.end();
    this.#sockets.close();
  }

  #tick(): void {
    this.ticks++;
    if (this.agreement.mustHear(performance.now())) {
      this.looks++;
      this.#sockets.look();
    }
    this.#step({ type: "tick" });
  }

  #step(event: AgreementEvent): void {
    for (const effect of this.agreement.step(event, performance.now())) {
      if (effect.type !== "send") continue;
      this.lastSent = performance.now();
      this.#sockets.send(effect.message, effect.to.map(addressOf));
    }
    this.#pulse.follow();
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
  for (const node of nodes) node.close();
});

test("at rest a node wakes five times a second, and looks for heartbeats every second or third time", async () => {
  const before = nodes.map(({ ticks, looks }) => ({ ticks, looks }));
  await sleep(3000);
  for (const [index, { ticks, looks, agreement }] of nodes.entries()) {
    expect(ticks - before[index]!.ticks).toBeLessThanOrEqual(17);
    expect(looks - before[index]!.looks).toBeLessThanOrEqual(9);
    expect(agreement.roll.living()).toHaveLength(NAMES.length - 1);
  }
  expect(isAgreed()).toBe(true);
});

test("one that is gone is missed 650 ms after its last heartbeat, and the others own what it had", async () => {
  const gone = nodes.pop()!;
  gone.close();
  const total = () => loads().reduce((sum, load) => sum + load, 0);
  await waitFor("the others to own all", () => total() === VIPS.length, { everyMilliseconds: 2, seen: loads });
  const silence = performance.now() - gone.lastSent;
  expect(silence).toBeGreaterThan(640);
  expect(silence).toBeLessThan(650 + LATE_MILLISECONDS);
  expect(loads().toSorted()).toEqual([125, 125, 125, 125]);
});
