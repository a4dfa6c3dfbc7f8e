import { expect, test } from "vitest";
import { WireProof } from "./wire-proof.ts";

test("an address that its owner does not answer for is unseen after three questions, until it is seen", () => {
  const proof = new WireProof();
  let asked = 0;
  for (let now = 0; now < 3000; now += 50) {
    const questions = proof.due(() => ["10.0.5.100", "10.0.5.101"], now);
    asked += questions.filter((vip) => vip === "10.0.5.101").length;
    if (questions.includes("10.0.5.100")) proof.seen("10.0.5.100");
  }
  expect(asked).toBe(3);
  expect(proof.unseen).toEqual(["10.0.5.101"]);
  proof.seen("10.0.5.101");
  expect(proof.unseen).toEqual([]);
});

test("an address that has become another node's to prove is no longer said to be unseen by this one", () => {
  const proof = new WireProof();
  let mine = ["10.0.5.100"];
  for (let now = 0; now < 25_000; now += 50) {
    proof.due(() => mine, now);
    if (now === 5000) {
      expect(proof.unseen).toEqual(["10.0.5.100"]);
      mine = [];
    }
  }
  expect(proof.unseen).toEqual([]);
});
