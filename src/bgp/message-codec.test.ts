import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { messages } from "../../test/fixtures/bgp-arbitraries.ts";
import { Fault, gravest } from "./fault.ts";
import { INITIAL_WIRE_SESSION, type Message, NO_ATTRIBUTES, type Update, type WireSession } from "./message.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { MessageFramer } from "./message-framer.ts";
import { messageFromJson, messageToJson } from "./message-json.ts";
import { formatHex, parseHex } from "./octets.ts";

/** An internal peer, so that no attribute is out of place; long messages are fine. */
const SESSION: WireSession = { ...INITIAL_WIRE_SESSION, external: false, extendedMessages: true };

const MARKER = "ff".repeat(16);
/** A message of the type from its body in hex. */
function framed(type: string, body: string): Uint8Array {
  const length = (19 + body.length / 2).toString(16).padStart(4, "0");
  return parseHex(`${MARKER}${length}${type}${body}`)!;
}

describe("encoding and decoding", () => {
  test("a message that was encoded decodes to itself", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const { message: decoded, faults } = decodeMessage(encodeMessage(message, SESSION), SESSION);
        expect(faults).toEqual([]);
        expect(decoded).toEqual(message);
      }),
    );
  });

  test("JSON of a message reads back as the same message", () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(messageFromJson(JSON.parse(JSON.stringify(messageToJson(message))))).toEqual(message);
      }),
    );
  });

  test("JSON that is no message is refused with the field that is wrong", () => {
    expect(messageFromJson({ type: "UPDATE", nlri: ["10.0.0.0/33"] })).toBe("nlri[0]: an IPv4 prefix expected");
    expect(messageFromJson({ type: "OPEN", asn: 70000 })).toBe("asn: an integer from 0 to 65535 expected");
    expect(messageFromJson([])).toBe("message: an object expected");
    fc.assert(fc.property(fc.jsonValue(), (json) => void messageFromJson(json)));
  });
});

/** What must hold of any octets whatsoever. */
function expectDeclared(bytes: Uint8Array, session: WireSession): void {
  const copy = Uint8Array.from(bytes);
  const { message, faults } = decodeMessage(bytes, session);
  expect(bytes).toEqual(copy);
  for (const fault of faults) expect(fault).toBeInstanceOf(Fault);
  // No message exactly when the session is to be reset.
  expect(message === null).toBe(gravest(faults)?.action === "session-reset");
}

describe("the decoder reads only inside its bounds and fails only with a declared fault", () => {
  const sessions = fc.record({
    fourOctetAs: fc.constantFrom(true, false, "guess" as const),
    addPathIpv4: fc.boolean(),
    addPathIpv6: fc.boolean(),
    extendedMessages: fc.boolean(),
    external: fc.boolean(),
    severalFamilies: fc.boolean(),
    extendedNextHop: fc.boolean(),
  });

  test("on random octets", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), sessions, expectDeclared), { numRuns: 2000 });
  });

  test("on random bodies behind a good header", () => {
    const types = fc.constantFrom("01", "02", "03", "04", "05");
    fc.assert(
      fc.property(types, fc.uint8Array({ maxLength: 200 }), sessions, (type, body, session) => {
        expectDeclared(framed(type, formatHex(body)), session);
      }),
      { numRuns: 3000 },
    );
  }, 60_000);

  test("on good messages with a few octets changed, cut or added", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(messages, changes, fc.integer({ min: -8, max: 8 }), sessions, (message, edits, grown, session) => {
        const bytes = encodeMessage(message, SESSION);
        for (const [at, value] of edits) bytes[19 + (at % Math.max(1, bytes.length - 19))] = value;
        const body = formatHex(bytes.subarray(19, Math.max(19, bytes.length + Math.min(0, grown))));
        expectDeclared(framed(formatHex(bytes.subarray(18, 19)), body + "00".repeat(Math.max(0, grown))), session);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("an UPDATE becomes what it is to be treated as", () => {
  const decoded = (body: string, session: WireSession = INITIAL_WIRE_SESSION) =>
    decodeMessage(framed("02", body), session) as { message: Update; faults: readonly Fault[] };
  const GOOD = "4001010040020602010000fdf24003040a63000a";

  test("prefixes with a malformed attribute are withdrawn, beside those that were withdrawn already", () => {
    const attributes = GOOD.replace("40010100", "400101ff");
    const { message, faults } = decoded(`0002080b0014${attributes}180a4206`);
    expect(faults.map((fault) => fault.action)).toEqual(["treat-as-withdraw"]);
    expect(messageToJson(message)).toMatchObject({
      withdrawn: ["11.0.0.0/8", "10.66.6.0/24"],
      nlri: [],
      attributes: {},
    });
  });

  test("a discarded attribute is gone, the rest stays", () => {
    const { message, faults } = decoded(`0000001d${GOOD}c00706fdf20a000001180a4206`);
    expect(faults.map((fault) => fault.action)).toEqual(["attribute-discard"]);
    expect(message.attributes.aggregator).toBeNull();
    expect(messageToJson(message)).toMatchObject({ nlri: ["10.66.6.0/24"] });
  });

  test("of an attribute that comes twice the first counts", () => {
    const { message, faults } = decoded(`00000018${GOOD}40010102180a4206`);
    expect(faults).toEqual([]);
    expect(message.attributes.origin).toBe("IGP");
  });

  test("an unreadable IPv6 prefix gives up IPv6 alone while IPv4 is up too, else the session", () => {
    const bad = "0000000b800f08000201ff20010db8";
    const disabled = decoded(bad, { ...INITIAL_WIRE_SESSION, severalFamilies: true });
    expect(disabled.faults.map((fault) => fault.action)).toEqual(["afi-safi-disable"]);
    expect(disabled.message.attributes.mpUnreach).toBeNull();
    const one = decoded(bad);
    expect(one.faults.map((fault) => `${fault.action} ${fault.code}/${fault.subcode}`)).toEqual(["session-reset 3/9"]);
  });

  test("a path of two-octet numbers is told from one of four when nobody said", () => {
    const guess: WireSession = { ...INITIAL_WIRE_SESSION, fourOctetAs: "guess" };
    const asns = (path: string) => decoded(`0000${path}`, guess).message.attributes.asPath?.map(({ asns }) => asns);
    expect(asns("000740020402 01fdf2".replace(" ", ""))).toEqual([[65010]]);
    expect(asns("00094002060201 0000fdf2".replace(" ", ""))).toEqual([[65010]]);
  });

  test("toward a speaker of two-octet numbers AS4_PATH carries what does not fit", () => {
    const old: WireSession = { ...INITIAL_WIRE_SESSION, fourOctetAs: false };
    const asPath = [{ kind: "sequence", asns: [4200000000, 65000] }] as const;
    const update = { type: "UPDATE", attributes: { ...NO_ATTRIBUTES, asPath } } as const;
    const none = { keys: [], pathIds: null };
    const { message } = decodeMessage(encodeMessage({ ...update, withdrawn: none, nlri: none }, old), old);
    expect(messageToJson(message as Message)["attributes"]).toEqual({
      asPath: [23456, 65000],
      as4Path: [4200000000, 65000],
    });
  });
});

describe("a stream", () => {
  test("is cut into the same messages however it arrives", () => {
    const stream = fc.array(messages, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(stream, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (sent, sizes) => {
        const octets = sent.map((message) => formatHex(encodeMessage(message, SESSION)));
        const bytes = parseHex(octets.join(""))!;
        const found: string[] = [];
        const framer = new MessageFramer();
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length]!;
          const take = (one: Uint8Array | Fault) => found.push(one instanceof Fault ? one.message : formatHex(one)) > 0;
          framer.push(bytes.subarray(at, at + size), () => SESSION, take);
          at += size;
        }
        expect(found).toEqual(octets);
      }),
    );
  });

  test("is over at the first bad header", () => {
    const found: string[] = [];
    const framer = new MessageFramer();
    const keepalive = formatHex(encodeMessage({ type: "KEEPALIVE" }, SESSION));
    const bytes = parseHex(`${keepalive}${"00".repeat(19)}${keepalive}`)!;
    framer.push(
      bytes,
      () => SESSION,
      (one) => found.push(one instanceof Fault ? one.message : "message") > 0,
    );
    framer.push(
      bytes,
      () => SESSION,
      () => found.push("more") > 0,
    );
    expect(found).toEqual(["message", "the marker is not all ones"]);
  });
});

test("prefixes are read without their host bits", () => {
  const update = framed("02", "0000" + "0014" + "40010100" + "4002060201" + "0000fde8" + "4003040a010102" + "14c0a80f");
  expect(messageToJson(decodeMessage(update, SESSION).message!)).toMatchObject({ nlri: ["192.168.0.0/20"] });
});

test.each(["ff", "06", "01"])(
  "extended parameters are known by their type, whatever the short length %s says",
  (short) => {
    const open = framed("01", `04fde8005a0a010102${short}ff0009020006${"41040000fde8"}`);
    expect(decodeMessage(open, SESSION).message).toMatchObject({
      capabilities: [{ name: "four-octet-as", asn: 65000 }],
    });
  },
);
