import { expect, test } from "vitest";
import { ConflictJudge } from "./conflict-judge.ts";

const VIP = "10.0.5.100";

test("a stranger is answered each time, but not more often than once a second", () => {
  const judge = new ConflictJudge();
  const stranger = { ours: 9, theirs: 1, isMember: false };
  expect(judge.judge(VIP, stranger, 0)).toBe("defended");
  expect(judge.judge(VIP, stranger, 500)).toBeNull();
  for (const now of [1500, 3000, 4500]) expect(judge.judge(VIP, stranger, now)).toBe("defended");
  expect(judge.hasYielded(VIP, 5000)).toBe(false);
});

test("of two nodes that do not hear each other, the one with the larger MAC gives up at the second claim, for a while", () => {
  const [low, high] = [new ConflictJudge(), new ConflictJudge()];
  for (const now of [0, 2000]) {
    expect(low.judge(VIP, { ours: 1, theirs: 9, isMember: true }, now)).toBe("defended");
    expect(high.judge(VIP, { ours: 9, theirs: 1, isMember: true }, now)).toBe(now === 0 ? "defended" : "yielded");
  }
  expect(low.hasYielded(VIP, 2001)).toBe(false);
  expect(high.hasYielded(VIP, 2001)).toBe(true);
  expect(high.hasYielded(VIP, 12_001)).toBe(false);
});
