/** When a process has nothing to do any more, by the processor time that it takes. */
import { readFileSync } from "node:fs";

const LOOK_MILLISECONDS = 20;
const REST_MILLISECONDS = 400;
/** Ticks of 10 ms that a process at rest may still take in that time. */
const REST_TICKS = 2;

/** @returns the moment since which it rests. */
export async function whenAtRest(pid: number): Promise<number> {
  let since = performance.now();
  let ticks = ticksOf(pid);
  while (performance.now() - since < REST_MILLISECONDS) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS));
    const now = ticksOf(pid);
    if (now - ticks <= REST_TICKS) continue;
    ticks = now;
    since = performance.now();
  }
  return since;
}

function ticksOf(pid: number): number {
  // Fields 14 and 15, counted from behind the name, which may hold blanks.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
