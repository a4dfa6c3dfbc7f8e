/** Long work on the main thread, cut up so that timers, sessions and leases keep being served meanwhile. */
import { setImmediate } from "node:timers/promises";

const SLICE_MILLISECONDS = 10;

/** Runs all steps, with a pause after about each 10 ms of them. */
export async function inSlices(steps: Iterable<void>): Promise<void> {
  let begun = performance.now();
  for (const _ of steps) {
    if (performance.now() - begun < SLICE_MILLISECONDS) continue;
    await setImmediate();
    begun = performance.now();
  }
}
