/** How much later things happen on a machine that others use as well, by a measure taken beside what is judged. */

/** What bidirectional forwarding detection needs at 50 ms x 3: the wait that is measured. */
const WAIT_MILLISECONDS = 150;
const ROUNDS = 5;

/**
 * The time that may pass now, in milliseconds, for what takes `milliseconds` at most on an idle machine: as many times more
 * as the slowest of some waits of 150 ms, each with a look at its end, was longer than the wait alone.
 */
export async function slackFor(milliseconds: number, look: () => unknown): Promise<number> {
  let slowest = WAIT_MILLISECONDS;
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now();
    await new Promise((resolve) => setTimeout(resolve, WAIT_MILLISECONDS));
    look();
    slowest = Math.max(slowest, performance.now() - startedAt);
  }
  return (milliseconds * slowest) / WAIT_MILLISECONDS;
}
