import { expect, test } from "vitest";
import { inSlices } from "./in-slices.ts";

test("a timer fires between the steps of long work, and all steps are done", async () => {
  let done = 0;
  let doneAtTimer = 0;
  const timer = setTimeout(() => {
    doneAtTimer = done;
  }, 0);
  function* work(): Generator<void> {
    for (let step = 0; step < 20; step++) {
      const end = performance.now() + 5;
      while (performance.now() < end);
      done++;
      yield;
    }
  }
  await inSlices(work());
  clearTimeout(timer);
  expect(done).toBe(20);
  expect(doneAtTimer).toBeGreaterThan(0);
  expect(doneAtTimer).toBeLessThan(20);
});
