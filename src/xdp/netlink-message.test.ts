import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  attributeBytes,
  attributeText,
  attributeUint32,
  MessageBuilder,
  readAttributes,
  readMessages,
} from "./netlink-message.ts";

describe("a netlink message", () => {
  test("is laid out as netlink(7) draws it", () => {
    const message = new MessageBuilder(16, 0x0601, Uint8Array.of(1, 2, 3, 4)).text(3, "lo").uint32(4, 1500).finish();
    expect(Buffer.from(message).toString("hex")).toBe(
      "24000000" + // length 36
        "1000" + // type
        "0106" + // flags
        "0000000000000000" + // sequence, port
        "01020304" + // fixed part
        "07000300" + // attribute 3, 7 bytes
        "6c6f0000" + // "lo", its zero, padding
        "08000400" +
        "dc050000",
    );
  });

  test("reads back whatever was built", () => {
    const attribute = fc.record({
      type: fc.integer({ min: 1, max: 0x3fff }),
      value: fc.uint8Array({ maxLength: 600 }),
    });
    fc.assert(
      fc.property(fc.array(fc.uniqueArray(attribute, { selector: ({ type }) => type })), (wanted) => {
        const built = wanted.map((attributes, type) => {
          const message = new MessageBuilder(type, 5, new Uint8Array(8));
          for (const one of attributes) message.bytes(one.type, one.value);
          return message.finish();
        });
        const { messages, consumedBytes } = readMessages(new Uint8Array(Buffer.concat(built)));
        expect(consumedBytes).toBe(built.reduce((sum, bytes) => sum + bytes.length, 0));
        expect(messages.map(({ type }) => type)).toEqual([...wanted.keys()]);
        for (const [index, { body }] of messages.entries()) {
          const read = readAttributes(body, 8);
          expect(read.size).toBe(wanted[index]!.length);
          for (const { type, value } of wanted[index]!) expect(attributeBytes(read, type)).toEqual(value);
        }
      }),
    );
  });

  test("nests attributes, and counts their length", () => {
    const message = new MessageBuilder(1, 1, new Uint8Array(0))
      .nested(18, (info) => info.text(1, "veth").nested(2, (data) => data.uint32(9, 77)))
      .finish();
    const outer = readAttributes(readMessages(message).messages[0]!.body, 0);
    const info = readAttributes(outer.get(18)!, 0);
    expect(attributeText(info, 1)).toBe("veth");
    expect(attributeUint32(readAttributes(info.get(2)!, 0), 9)).toBe(77);
  });

  test("that has not arrived whole is left for later", () => {
    const whole = new MessageBuilder(20, 0, new Uint8Array(8)).uint32(1, 2).finish();
    const bytes = Uint8Array.of(...whole, ...whole.subarray(0, 17));
    expect(readMessages(bytes)).toMatchObject({ consumedBytes: whole.length, messages: [{ type: 20 }] });
  });

  test("of random bytes is read without a throw and inside its bounds", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const { messages, consumedBytes } = readMessages(bytes);
        expect(consumedBytes).toBeLessThanOrEqual(bytes.length);
        for (const { body } of messages) {
          for (const value of readAttributes(body, 12).values()) {
            expect(value.byteOffset + value.byteLength).toBeLessThanOrEqual(bytes.byteOffset + bytes.length);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
