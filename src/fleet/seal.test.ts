import { expect, test } from "vitest";
import { seal, unseal } from "./seal.ts";

const KEY = new Uint8Array(32).fill(7);
const NOTHING = new Uint8Array();

test("what is sealed is read by who has the key, and by nobody else", () => {
  const sealed = seal(KEY, "sessions: 2", NOTHING);
  expect(unseal(KEY, sealed, NOTHING)).toBe("sessions: 2");
  expect(unseal(new Uint8Array(32).fill(8), sealed, NOTHING)).toBeNull();
  expect(sealed.includes("sessions")).toBe(false);
});

test("a changed bit anywhere, or an end that is missing, makes it nobody's", () => {
  const sealed = seal(KEY, "node", NOTHING);
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed[at]! ^= 1;
    expect(unseal(KEY, changed, NOTHING), `octet ${at}`).toBeNull();
    expect(unseal(KEY, sealed.subarray(0, at), NOTHING), `${at} octets`).toBeNull();
  }
});

test("an answer to one question is none to another", () => {
  const [question, other] = [seal(KEY, "node", NOTHING), seal(KEY, "node", NOTHING)];
  expect(question.equals(other)).toBe(false);
  const answer = seal(KEY, "all well", question);
  expect(unseal(KEY, answer, question)).toBe("all well");
  expect(unseal(KEY, answer, other)).toBeNull();
});
