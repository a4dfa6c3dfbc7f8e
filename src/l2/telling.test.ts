import { describe, expect, test } from "vitest";
import type { AgreementEffect } from "./event.ts";
import { EMPTY_STATEMENT, type Heartbeat } from "./heartbeat.ts";
import { HeartbeatEncoder } from "./heartbeat-codec.ts";
import { Roll } from "./roll.ts";
import { Telling } from "./telling.ts";
import { DEFAULT_TIMING } from "./timing.ts";

const HEARTBEAT_MILLISECONDS = DEFAULT_TIMING.heartbeatMilliseconds;
/** Of a datagram by IPv4 that need not be cut. */
const ETHERNET_OCTETS = 1472;
const NAMES = Array.from({ length: 100 }, (_, index) => `node-${index}.rack-${index % 10}.cluster.example.org`);
const present = { session: 5, ready: true, draining: false, statement: () => EMPTY_STATEMENT };
const encoder = new HeartbeatEncoder(() => new Uint8Array(32));

function tellingOf(names: readonly string[]): { readonly roll: Roll; readonly telling: Telling } {
  const roll = new Roll("self.cluster.example.org");
  roll.set(names);
  for (const [index, member] of [...roll.members.values()].entries()) member.session = 1000 + index;
  return { roll, telling: new Telling(roll, DEFAULT_TIMING, 0) };
}

function sent(effects: readonly AgreementEffect[]): { readonly to: readonly string[]; readonly message: Heartbeat }[] {
  return effects.flatMap((effect) => (effect.type === "send" ? [effect] : []));
}

function expectShort(messages: readonly { readonly message: Heartbeat }[]): void {
  for (const { message } of messages) {
    for (const { length } of encoder.encode(message)) expect(length).toBeLessThanOrEqual(ETHERNET_OCTETS);
  }
}

describe("a message", () => {
  test("goes to each member once a heartbeat, and names those that get it", () => {
    const { roll, telling } = tellingOf(NAMES);
    for (let beat = 0; beat < 3; beat++) {
      expect(telling.nextHeartbeat).toBe(beat * HEARTBEAT_MILLISECONDS);
      const messages = sent(telling.due(present, telling.nextHeartbeat));
      expect(messages.flatMap(({ to }) => to).toSorted()).toEqual(NAMES.toSorted());
      for (const { to, message } of messages) {
        expect(message.heard.map(({ node, session }) => [node, session])).toEqual(
          to.map((name) => [name, roll.members.get(name)!.session]),
        );
      }
      expectShort(messages);
    }
  });

  test("is short also where all members are held down: each learns that it is, and of some others", () => {
    const { roll, telling } = tellingOf(NAMES);
    for (const member of roll.members.values()) member.heldUntil = 10_000;
    const messages = sent(telling.due(present, 0));
    for (const { to, message } of messages) {
      expect(message.heard.every(({ held }) => held)).toBe(true);
      const told = new Set(message.heard.map(({ node }) => node));
      expect(to.filter((name) => !told.has(name))).toEqual([]);
      expect(told.size).toBeGreaterThan(to.length);
    }
    expectShort(messages);
  });

  test("says as many wishes for moves as it has room for: all are said, and each three times", () => {
    const { telling } = tellingOf(NAMES.slice(0, 2));
    const wishes = Array.from({ length: 50 }, (_, index) => ({ vip: `10.0.5.${index}`, to: NAMES[index]! }));
    for (const wish of wishes) telling.wish(wish, 0);
    const said: string[] = [];
    while (telling.nextHeartbeat < 30_000) {
      const messages = sent(telling.due(present, telling.nextHeartbeat));
      expectShort(messages);
      said.push(...messages[0]!.message.moves.map(({ vip }) => vip));
    }
    const all = wishes.map(({ vip }) => vip);
    expect(said.slice(0, 50)).toEqual(all);
    expect(said.toSorted()).toEqual(all.flatMap((vip) => [vip, vip, vip]).toSorted());
  });
});
