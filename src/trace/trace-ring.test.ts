import fc from "fast-check";
import { expect, test } from "vitest";
import { TraceRing, traceRingMemory } from "./trace-ring.ts";

const CAPACITY = 256;

test("records come out as they went in, in order; what finds no room is counted and nothing else is harmed", () => {
  const step = fc.oneof(
    fc.record({ write: fc.uint8Array({ minLength: 1, maxLength: 100 }) }),
    fc.record({ read: fc.constant(true) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const memory = traceRingMemory(CAPACITY);
      const [writer, reader] = [new TraceRing(memory), new TraceRing(memory)];
      const kept: Uint8Array[] = [];
      let lost = 0;
      const readOne = () => {
        const at = reader.next();
        const expected = kept.shift();
        if (expected === undefined) return expect(at).toBe(-1);
        expect(reader.bytes.slice(at, at + expected.length)).toEqual(expected);
        return reader.release();
      };
      for (const one of steps) {
        if ("read" in one) {
          readOne();
          continue;
        }
        const at = writer.reserve(one.write.length);
        if (at < 0) {
          lost++;
          continue;
        }
        writer.bytes.set(one.write, at);
        writer.commit();
        kept.push(one.write);
      }
      expect(reader.lost).toBe(lost);
      while (kept.length > 0) readOne();
      expect(reader.next()).toBe(-1);
    }),
  );
});

test("a reader that looks now and then loses nothing while there is room", () => {
  const memory = traceRingMemory(CAPACITY);
  const [writer, reader] = [new TraceRing(memory), new TraceRing(memory)];
  for (let n = 0; n < 10_000; n++) {
    const at = writer.reserve(1 + (n % 60));
    writer.bytes[at] = n & 0xff;
    writer.commit();
    expect(reader.bytes[reader.next()]).toBe(n & 0xff);
    reader.release();
  }
  expect(reader.lost).toBe(0);
});
