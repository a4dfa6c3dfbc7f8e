/**
 * `sluice speaker`: the BGP speaker in a process of its own, until SIGTERM or SIGINT. It ends without Cease unless asked
 * to: what ends it is mostly its own replacement, and routers with graceful restart then keep the routes.
 */
import { pino } from "pino";
import { Sidecar } from "../speaker/sidecar.ts";
import { Speaker } from "../speaker/speaker.ts";

export async function runSpeaker(socket: string, cease: boolean): Promise<void> {
  const log = pino({}, pino.destination({ fd: 2, sync: true }));
  const speaker = new Speaker({ restarting: true });
  await speaker.start();
  speaker.onEvent(({ name, from, to, words }) => {
    log.info({ peer: name, from, to, ...(words === null ? {} : { why: words }) }, "BGP session");
  });
  const sidecar = new Sidecar(speaker);
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, resolve);
  });
  try {
    await sidecar.listen(socket);
    log.info({ signal: await stopped }, "stopping");
  } finally {
    sidecar.close();
    await speaker.stop({ cease });
  }
}
