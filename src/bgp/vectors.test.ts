/** The codec against messages of real speakers and against broken ones with the reaction that the RFCs require. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CONFIG } from "../../test/fixtures/bgp-peers.ts";
import { gravest } from "./fault.ts";
import { step } from "./fsm.ts";
import { INITIAL_WIRE_SESSION, type Message, type WireSession } from "./message.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { messageFromJson, messageToJson } from "./message-json.ts";
import { formatHex, parseHex } from "./octets.ts";
import type { Session } from "./session-event.ts";

interface Vector {
  readonly id: string;
  readonly kind: "valid" | "malformed";
  readonly meaning: string;
  readonly required: Readonly<Record<string, unknown>>;
  readonly expected?: Readonly<Record<string, unknown>>;
  readonly addPath?: boolean;
  readonly hex: string;
}

const file = new URL("../../test/data/bgp-vectors.json", import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, "utf8")) as { vectors: Vector[] };
/** These are about when a message comes, not about what is in it. */
const MISTIMED = new Map<string, Session>([
  ["opensent-keepalive", { state: "OpenSent", failures: 0, negotiated: null }],
  ["openconfirm-update", { state: "OpenConfirm", failures: 0, negotiated: null }],
]);

const session = (vector: Vector): WireSession => ({ ...INITIAL_WIRE_SESSION, addPathIpv4: vector.addPath ?? false });
const decode = (vector: Vector) => decodeMessage(parseHex(vector.hex)!, session(vector));

/** The reaction in the words of the vectors; `"none"` for a good message. */
function reaction(vector: Vector): string {
  const mistimed = MISTIMED.get(vector.id);
  if (mistimed !== undefined) {
    const { effects } = step(mistimed, CONFIG, { type: "message", message: decode(vector).message! }, 0);
    const sent = effects.find((effect) => effect.do === "send");
    return sent?.message.type === "NOTIFICATION" ? `reset ${sent.message.code}/${sent.message.subcode}` : "none";
  }
  const fault = gravest(decode(vector).faults);
  if (fault === null) return "none";
  return fault.action === "session-reset" ? `reset ${fault.code}/${fault.subcode}` : fault.action;
}

function allowed({ required }: Vector): string[] {
  if (typeof required["reset"] === "string") return [`reset ${required["reset"]}`];
  if (Array.isArray(required["any"])) {
    return (required["any"] as string[]).map((one) => (one === "ignored" ? "none" : one));
  }
  return Object.keys(required).slice(0, 1);
}

describe("a malformed message gets the reaction that the RFCs require", () => {
  test.each(vectors.filter((one) => one.kind === "malformed"))("$meaning ($id)", (vector) => {
    const found = reaction(vector);
    const matches = allowed(vector).some(
      (one) => one === found || (one.endsWith("/x") && found.startsWith(one.slice(0, -1))),
    );
    expect(matches, `${found}, allowed: ${allowed(vector).join(" or ")}`).toBe(true);
    if (typeof vector.required["data"] === "string") {
      expect(formatHex(gravest(decode(vector).faults)!.data)).toBe(vector.required["data"]);
    }
  });
});

describe("a good message", () => {
  const good = vectors.filter((one) => one.kind === "valid");

  test.each(good)("is read without a fault and written again octet by octet: $meaning ($id)", (vector) => {
    const { message, faults } = decode(vector);
    expect(faults).toEqual([]);
    expect(formatHex(encodeMessage(message!, session(vector)))).toBe(vector.hex);
    const json = messageToJson(message!);
    expect(messageToJson(messageFromJson(JSON.parse(JSON.stringify(json))) as Message)).toEqual(json);
  });

  test.each(good.filter((one) => one.expected !== undefined))(
    "says what another decoder reads: $meaning ($id)",
    (vector) => {
      const { message } = decode(vector);
      const expected = vector.expected!;
      if (message?.type !== "UPDATE") {
        const { capabilityCodes, text, ...fields } = expected;
        const json = messageToJson(message!);
        expect(json).toMatchObject(fields);
        if (capabilityCodes !== undefined) expect(codes(vector)).toEqual(capabilityCodes);
        if (text !== undefined) expect(json["text"]).toContain(text);
        return;
      }
      const json = messageToJson(message) as { attributes: Record<string, unknown>; nlri: unknown[] };
      const { mpReach } = json.attributes as { mpReach?: { nextHops: unknown; nlri: unknown } };
      const found: Record<string, unknown> = {
        ...json.attributes,
        asns: message.attributes.asPath?.flatMap((segment) => segment.asns),
        mpNextHops: mpReach?.nextHops,
        mpNlri: mpReach?.nlri,
        nlri: json.nlri.map((one) => (typeof one === "string" ? one : (one as { prefix: string }).prefix)),
      };
      expect(found).toMatchObject(expected);
    },
  );
});

/** Capability codes in an OPEN, read in another way than the codec does. */
function codes(vector: Vector): number[] {
  const bytes = parseHex(vector.hex)!;
  const found: number[] = [];
  for (let at = 29; at < bytes.length; at += 2 + bytes[at + 1]!) {
    const end = at + 2 + bytes[at + 1]!;
    for (let inner = at + 2; inner < end; inner += 2 + bytes[inner + 1]!) found.push(bytes[inner]!);
  }
  return found;
}
