/** RFC 5880 §6.8 without a socket: two state machines, and one against single packets. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BfdConfig,
  type BfdEffect,
  type BfdEvent,
  type BfdSession,
  newBfdSession,
  stepBfd,
} from "./bfd-session.ts";
import { BfdStateNumber, type ControlPacket, decodeControlPacket, encodeControlPacket } from "./control-packet.ts";

const { AdminDown, Down, Init, Up } = BfdStateNumber;
const CONFIG: BfdConfig = { transmitMilliseconds: 50, receiveMilliseconds: 50, multiplier: 3, passive: false };
const PACKET: ControlPacket = {
  diagnostic: 0,
  state: Down,
  poll: false,
  final: false,
  demand: false,
  multiplier: 3,
  myDiscriminator: 7,
  yourDiscriminator: 0,
  desiredMinTransmitMilliseconds: 1000,
  requiredMinReceiveMilliseconds: 50,
};

const inState = (state: BfdSession["state"]): BfdSession => ({ ...newBfdSession(9), state });
const packet = (more: Partial<ControlPacket>): BfdEvent => ({ type: "packet", packet: { ...PACKET, ...more } });
const sent = (effects: readonly BfdEffect[]) => effects.flatMap((one) => (one.do === "send" ? [one.packet] : []));
const armed = (effects: readonly BfdEffect[], timer: string) =>
  effects.findLast((one) => one.do === "arm" && one.timer === timer) as { milliseconds: number } | undefined;

describe("the state machine", () => {
  test.each([
    [Down, AdminDown, Down],
    [Down, Down, Init],
    [Down, Init, Up],
    [Down, Up, Down],
    [Init, AdminDown, Down],
    [Init, Down, Init],
    [Init, Init, Up],
    [Init, Up, Up],
    [Up, AdminDown, Down],
    [Up, Down, Down],
    [Up, Init, Up],
    [Up, Up, Up],
  ])("in state %i goes on a peer's state %i to %i", (from, remote, to) => {
    expect(stepBfd(inState(from), CONFIG, packet({ state: remote }), 0).session.state).toBe(to);
  });

  test.each([Init, Up])("in state %i falls to Down when the peer is silent for the detection time", (from) => {
    const { session, effects } = stepBfd(inState(from), CONFIG, { type: "detection-expired" }, 0);
    expect(session).toMatchObject({ state: Down, diagnostic: 1, remoteDiscriminator: 0 });
    expect(effects).toContainEqual({ do: "changed", state: Down, words: "the peer fell silent" });
  });

  test("says AdminDown when it is stopped", () => {
    const { effects } = stepBfd(inState(Up), CONFIG, { type: "stop" }, 0);
    expect(sent(effects)).toMatchObject([{ state: AdminDown, diagnostic: 7 }]);
  });
});

describe("the pace", () => {
  test("is a second while the session is not Up, and the configured one with a poll as soon as it is", () => {
    const down = stepBfd(inState(Down), CONFIG, { type: "transmit-due" }, 0).effects;
    expect(sent(down)[0]).toMatchObject({ desiredMinTransmitMilliseconds: 1000, poll: false });
    expect(armed(down, "transmit")!.milliseconds).toBe(1000);
    const up = stepBfd(inState(Init), CONFIG, packet({ state: Init }), 0).effects;
    expect(sent(up)[0]).toMatchObject({ desiredMinTransmitMilliseconds: 50, poll: true });
    expect(armed(up, "transmit")!.milliseconds).toBe(50);
  });

  test("is never faster than the peer takes, and stops for one that takes nothing", () => {
    const slow = stepBfd(inState(Init), CONFIG, packet({ state: Up, requiredMinReceiveMilliseconds: 300 }), 0);
    expect(armed(slow.effects, "transmit")!.milliseconds).toBe(300);
    const none = { ...inState(Up), remoteMinReceiveMilliseconds: 0 };
    expect(stepBfd(none, CONFIG, { type: "transmit-due" }, 0).effects).toEqual([]);
  });

  test("quickens at once when the peer begins to take more", () => {
    const slow = { ...inState(Up), remoteMinReceiveMilliseconds: 1000 };
    const { effects } = stepBfd(slow, CONFIG, packet({ state: Up }), 0);
    expect(sent(effects)).toHaveLength(1);
    expect(armed(effects, "transmit")!.milliseconds).toBe(50);
  });

  test("loses up to a quarter by jitter, and at least a tenth where one loss is fatal", () => {
    const wait = (multiplier: number, random: number) =>
      armed(stepBfd(inState(Up), { ...CONFIG, multiplier }, { type: "transmit-due" }, random).effects, "transmit")!
        .milliseconds;
    expect([wait(3, 0), wait(3, 1), wait(1, 0), wait(1, 1)]).toEqual([50, 37.5, 45, 37.5]);
  });

  test("of the peer sets the detection time: its multiplier times the slower of its pace and ours", () => {
    const detection = (more: Partial<ControlPacket>) =>
      armed(stepBfd(inState(Up), CONFIG, packet({ state: Up, ...more }), 0).effects, "detection")!.milliseconds;
    expect(detection({ desiredMinTransmitMilliseconds: 20, multiplier: 5 })).toBe(250);
    expect(detection({ desiredMinTransmitMilliseconds: 100 })).toBe(300);
  });
});

test("a poll is answered at once with F, and our own poll ends with the peer's F", () => {
  const asked = stepBfd(inState(Up), CONFIG, packet({ state: Up, poll: true }), 0);
  expect(sent(asked.effects)).toMatchObject([{ final: true, poll: false }]);
  const polling = { ...inState(Up), polling: true };
  expect(stepBfd(polling, CONFIG, packet({ state: Up }), 0).session.polling).toBe(true);
  expect(stepBfd(polling, CONFIG, packet({ state: Up, final: true }), 0).session.polling).toBe(false);
});

test("a passive session is silent until the peer speaks", () => {
  const passive = { ...CONFIG, passive: true };
  expect(stepBfd(inState(Down), passive, { type: "start" }, 0).effects).toEqual([]);
  expect(sent(stepBfd(inState(Down), passive, packet({}), 0).effects)).toMatchObject([{ state: Init }]);
});

test("two machines that hear each other are both Up after three packets", () => {
  let [left, right] = [newBfdSession(1), newBfdSession(2)];
  let crossing = sent(stepBfd(left, CONFIG, { type: "start" }, 0).effects);
  for (let turn = 0; turn < 4 && crossing.length > 0; turn++) {
    const answers: ControlPacket[] = [];
    for (const one of crossing) {
      const { session, effects } = stepBfd(turn % 2 === 0 ? right : left, CONFIG, { type: "packet", packet: one }, 0);
      if (turn % 2 === 0) right = session;
      else left = session;
      answers.push(...sent(effects));
    }
    crossing = answers;
  }
  expect([left.state, right.state]).toEqual([Up, Up]);
});

describe("a control packet", () => {
  test("survives the wire", () => {
    const whole = { ...PACKET, state: Up, poll: true, yourDiscriminator: 0xfffffffe, diagnostic: 3 };
    expect(decodeControlPacket(encodeControlPacket(whole))).toEqual(whole);
  });

  test.each([
    ["shorter than 24 octets", (bytes: Uint8Array) => bytes.subarray(0, 23)],
    ["version 0", (bytes: Uint8Array) => bytes.with(0, 0)],
    ["length 25", (bytes: Uint8Array) => bytes.with(3, 25)],
    ["multiplier 0", (bytes: Uint8Array) => bytes.with(2, 0)],
    ["multipoint bit set", (bytes: Uint8Array) => bytes.with(1, 0x41)],
    ["authentication is not configured", (bytes: Uint8Array) => bytes.with(1, 0x44)],
    ["no discriminator", (bytes: Uint8Array) => bytes.with(7, 0)],
    ["no discriminator of ours in a live state", (bytes: Uint8Array) => bytes.with(1, 0xc0)],
  ])("is discarded: %s", (words, spoil) => {
    expect(decodeControlPacket(spoil(encodeControlPacket(PACKET)))).toBe(words);
  });

  test("of any octets is read or refused, never thrown at", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const found = decodeControlPacket(bytes);
        expect(["string", "object"]).toContain(typeof found);
      }),
    );
  });
});
