import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Heartbeat, Statement } from "./heartbeat.ts";
import { HeartbeatDecoder, HeartbeatEncoder, LONGEST_DATAGRAM, MOST_OCTETS, URGENT } from "./heartbeat-codec.ts";
import { StatementAssembly } from "./statement-assembly.ts";

const keyed = (key: string) => (octets: Uint8Array, length: number) =>
  createHmac("sha256", key).update(octets.subarray(0, length)).digest();
const authenticate = keyed("the secret");
const encoder = new HeartbeatEncoder(authenticate);
const decoder = new HeartbeatDecoder(authenticate);
const SESSION = 0x1234_5678_9abc;

const vip = fc.oneof(
  fc.integer({ min: 0, max: 255 }).map((last) => `10.0.5.${last}`),
  fc.integer({ min: 0, max: 0xffff }).map((last) => `2001:db8::5:${last.toString(16)}`),
);
const fixedVip = vip.map((text) => text.replace(/:0$/, ":1"));
const name = fc.stringMatching(/^[a-zé0-9.-]{1,40}$/);
const number48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const number32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const statement: fc.Arbitrary<Statement> = fc.record({
  claims: fc.array(fc.record({ vip: fixedVip, term: number32, weak: fc.boolean(), pinned: fc.boolean() }), {
    maxLength: 150,
  }),
  handovers: fc.array(fc.record({ vip: fixedVip, term: number32, to: name, pinned: fc.boolean() }), { maxLength: 5 }),
  refused: fc.array(fixedVip, { maxLength: 5 }),
  poor: fc.array(fixedVip, { maxLength: 5 }),
  macs: fc.array(number48, { maxLength: 3 }),
  unseen: fc.array(fixedVip, { maxLength: 3 }),
});
const heartbeat: fc.Arbitrary<Heartbeat> = fc.record({
  from: name,
  session: number48,
  sequence: number48,
  ready: fc.boolean(),
  draining: fc.boolean(),
  patienceMilliseconds: fc.option(fc.nat()),
  heard: fc.array(
    fc.record({
      node: name,
      session: fc.oneof(number48, fc.constant(SESSION)),
      version: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
      held: fc.boolean(),
    }),
    { maxLength: 8 },
  ),
  version: number32,
  statement: fc.option(statement),
  moves: fc.array(fc.record({ vip: fixedVip, to: name }), { maxLength: 3 }),
});

/** A session of zero is drawn once in 2^48 times, and is no different from others. */
const aboutSessionZero: Heartbeat = {
  from: "a",
  session: 1,
  sequence: 1,
  ready: true,
  draining: false,
  patienceMilliseconds: null,
  heard: [{ node: "b", session: 0, version: 7, held: false }],
  version: 0,
  statement: null,
  moves: [],
};

describe("a heartbeat", () => {
  test("is read as it was written, in whatever order its sheets arrive, be some lost until they are told again", () => {
    fc.assert(
      fc.property(heartbeat, fc.boolean(), fc.integer({ min: 1, max: 5 }), (message, reversed, lossy) => {
        const assembly = new StatementAssembly();
        const heard = message.heard.filter(({ session, held }) => held || session === SESSION);
        const read: (Heartbeat | null)[] = [];
        for (const round of [1, 2]) {
          // The message that tells it again may name others, and have another length.
          const again = round === 1 ? message : { ...message, heard: [], sequence: message.sequence + 1 };
          const datagrams = encoder.encode(again);
          for (const { length } of datagrams) expect(length).toBeLessThanOrEqual(LONGEST_DATAGRAM);
          const sheets = datagrams.slice(0, -1);
          for (const [index, sheet] of (reversed ? sheets.toReversed() : sheets).entries()) {
            if (index % lossy === round - 1 && lossy > 1) continue;
            expect(assembly.add(decoder.decode(sheet, SESSION)!)).toBeNull();
          }
          read.push(assembly.add(decoder.decode(datagrams.at(-1)!, SESSION)!));
        }
        const isLost = lossy > 1 && encoder.encode(message).length > 1;
        expect(read[0]).toEqual({ ...message, heard, statement: isLost ? null : message.statement });
        if (isLost) expect(read[1]!.statement).toEqual(message.statement);
      }),
      { numRuns: 200, examples: [[aboutSessionZero, false, 1]] },
    );
  });

  test("says in one bit whether it can wait", () => {
    fc.assert(
      fc.property(heartbeat, (message) => {
        const isNews = message.statement !== null || message.moves.length > 0;
        for (const datagram of encoder.encode(message)) {
          expect((datagram[URGENT.offset]! & URGENT.mask) !== 0).toBe(isNews);
        }
      }),
    );
  });

  test("that anybody has changed, or that another secret signed, is refused", () => {
    fc.assert(
      fc.property(heartbeat, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, at, change) => {
        const [datagram] = encoder.encode(message);
        expect(new HeartbeatDecoder(keyed("another secret")).decode(datagram!, SESSION)).toBeNull();
        datagram![at % datagram!.length]! ^= change;
        expect(decoder.decode(datagram!, SESSION)).toBeNull();
      }),
    );
  });

  test("that is longer than any is refused before anybody looks whether it is authentic", () => {
    const never = new HeartbeatDecoder(() => {
      throw new RangeError("it is too long");
    });
    for (const length of [MOST_OCTETS + 1, 65_507]) {
      const datagram = new Uint8Array(length);
      datagram.set(encoder.encode(fc.sample(heartbeat, 1)[0]!)[0]!);
      expect(never.decode(datagram, SESSION)).toBeNull();
    }
  });

  test("that is cut or made up is refused even where it is signed", () => {
    const sign = (octets: Uint8Array) =>
      Uint8Array.of(...octets, ...authenticate(octets, octets.length).subarray(0, 16));
    fc.assert(
      fc.property(heartbeat, fc.nat(), (message, cut) => {
        const [datagram] = encoder.encode(message);
        const octets = datagram!.subarray(0, datagram!.length - 16);
        expect(decoder.decode(sign(octets.subarray(0, cut % octets.length)), SESSION)).toBeNull();
        expect(decoder.decode(sign(Uint8Array.of(...octets, 0)), SESSION)).toBeNull();
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => {
        decoder.decode(sign(Uint8Array.of(0x53, 0x4c, 0x32, 1 + (octets.length & 1), ...octets)), SESSION);
      }),
    );
  });
});
