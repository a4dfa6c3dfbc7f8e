import { expect, test } from "vitest";
import { PressureMap } from "./queue-pressure.ts";

/** A queue's words as XDP leaves them: the second of two queues. */
function pressed(reason: number, pressedAt: number, since: number): PressureMap {
  const words = new Int32Array(32);
  words[16 + 3] = reason;
  new BigInt64Array(words.buffer).set([BigInt(pressedAt) * 1_000_000n, BigInt(since) * 1_000_000n], 8 + 3);
  return new PressureMap(words);
}

test("a queue is pressed for the reason and since the moment that XDP has noted", () => {
  expect(pressed(1, 7_200_000, 7_100_000).read(1, 7_200_001)).toEqual({ pressure: "behind", since: 7_100_000 });
  expect(pressed(2, 7_200_000, 7_100_000).read(1, 7_200_001)?.pressure).toBe("stalled");
  expect(pressed(3, 7_200_000, 7_100_000).read(1, 7_200_001)?.pressure).toBe("gone");
  expect(pressed(0, 7_200_000, 7_100_000).read(1, 7_200_001)).toBeNull();
  expect(pressed(1, 7_200_000, 7_100_000).read(0, 7_200_001)).toBeNull();
});

test("two seconds after the last pressure it is over, though no frame has come since", () => {
  expect(pressed(1, 5_000, 1_000).read(1, 7_000)).not.toBeNull();
  expect(pressed(1, 5_000, 1_000).read(1, 7_001)).toBeNull();
});

test("what the kernel has lost is not counted as waiting once the ring is empty", () => {
  const words = new Int32Array(16);
  const map = new PressureMap(words);
  words[0] = 100;
  map.took(0, 60);
  expect(words[1]).toBe(60);
  map.caughtUp(0);
  expect(words[1]).toBe(100);
});
