/**
 * The decoder against octets that nobody should send: real messages cut, changed, spliced and lengthened, and noise.
 *
 * 200,000 inputs in the usual run, 10 million with SLUICE_LONG=1. Each must end in a message or in declared faults, read
 * nothing outside of its octets, and leave no memory behind. A generator of numbers with a seed makes the inputs, so that a
 * failure can be had again: its message names the seed and the input.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Fault } from "./fault.ts";
import { INITIAL_WIRE_SESSION, type WireSession } from "./message.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { formatHex, parseHex } from "./octets.ts";

const LONG = process.env["SLUICE_LONG"] === "1";
const INPUTS = LONG ? 10_000_000 : 200_000;
const SEED = Number(process.env["SLUICE_SEED"] ?? 20261122);
/** What stands around the message in memory: a decoder that reads beyond its end meets these. */
const GUARD_BYTES = 64;

const file = new URL("../../test/data/bgp-vectors.json", import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, "utf8")) as { vectors: { hex: string }[] };
const CORPUS = vectors.map(({ hex }) => parseHex(hex)!).filter((octets) => octets.length >= 19);

const SESSIONS: readonly WireSession[] = [
  INITIAL_WIRE_SESSION,
  { ...INITIAL_WIRE_SESSION, fourOctetAs: false, external: false },
  { ...INITIAL_WIRE_SESSION, addPathIpv4: true, addPathIpv6: true, extendedMessages: true, severalFamilies: true },
];

/** xorshift32: quick, and the same everywhere. */
function numbers(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function mutated(next: (below: number) => number, into: Uint8Array): number {
  const source = CORPUS[next(CORPUS.length)]!;
  into.set(source);
  let length = source.length;
  const body = () => 19 + next(Math.max(1, length - 19));
  switch (next(6)) {
    case 0:
      for (let i = next(8); i >= 0; i--) into[body()] = next(256);
      break;
    case 1:
      length = Math.min(length, body());
      break;
    case 2: {
      const other = CORPUS[next(CORPUS.length)]!;
      const at = body();
      const part = other.subarray(19 + next(Math.max(1, other.length - 19))).subarray(0, 200);
      into.set(part, at);
      length = Math.max(length, at + part.length);
      break;
    }
    case 3:
      for (let i = next(40); i >= 0; i--) into[length++] = next(256);
      break;
    case 4:
      into[body()] ^= 1 << next(8);
      break;
    default:
      for (let i = 19; i < length; i++) into[i] = next(256);
      into[18] = 1 + next(5);
  }
  // Mostly with a right length, or nothing behind the header would ever be reached.
  if (next(10) > 0) {
    into[16] = length >>> 8;
    into[17] = length & 255;
  }
  return length;
}

test(
  `${INPUTS} hostile inputs end in a message or in declared faults, within their octets and without growth`,
  () => {
    const next = numbers(SEED);
    const memory = new Uint8Array(2 * GUARD_BYTES + 16384);
    const scratch = new Uint8Array(16384);
    let heapAfterWarmUp = 0;
    for (let i = 0; i < INPUTS; i++) {
      const length = mutated(next, scratch);
      const session = SESSIONS[i % SESSIONS.length]!;
      const outcomes = [0xa5, 0x5a].map((guard) => {
        // The second time with other octets around: what was read outside would show.
        if (i % 50 !== 0 && guard === 0x5a) return null;
        memory.fill(guard, 0, GUARD_BYTES);
        memory.set(scratch.subarray(0, length), GUARD_BYTES);
        memory.fill(guard, GUARD_BYTES + length, GUARD_BYTES + length + GUARD_BYTES);
        return decodeMessage(memory.subarray(GUARD_BYTES, GUARD_BYTES + length), session);
      });
      const { message, faults } = outcomes[0]!;
      const where = () => `seed ${SEED}, input ${i}: ${formatHex(scratch.subarray(0, length))}`;
      if (message === null && faults.length === 0) throw new Error(`neither message nor fault: ${where()}`);
      if (!faults.every((fault) => fault instanceof Fault)) throw new Error(`an undeclared fault: ${where()}`);
      if (outcomes[1] !== null) expect(outcomes[1], where()).toEqual(outcomes[0]);
      if (message !== null && i % 10 === 0) encodeMessage(message, session);
      if (i === INPUTS / 10) heapAfterWarmUp = process.memoryUsage().heapUsed;
    }
    expect(process.memoryUsage().heapUsed - heapAfterWarmUp).toBeLessThan(256 * 1024 * 1024);
  },
  LONG ? 3_600_000 : 60_000,
);
