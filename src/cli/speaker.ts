/**
 * `sluice speaker`: the BGP speaker in a process of its own, until SIGTERM or SIGINT. It ends without Cease unless asked
 * to: what ends it is mostly its own replacement, and routers with graceful restart then keep the routes.
 *
 * Nothing but the sessions happens here, so they have the only thread; the logger of the gateway would be half of the
 * memory that is not the runtime's, so log lines are written by hand in the same form.
 */
import { bestPlatform, keepSpeaking } from "../speaker/best-platform.ts";
import { Sidecar } from "../speaker/sidecar.ts";
import { SpeakerCore } from "../speaker/speaker-core.ts";

export async function runSpeaker(socket: string, cease: boolean): Promise<void> {
  const speaker = new SpeakerCore({ restarting: true }, await bestPlatform());
  speaker.onEvent(({ name, from, to, words }) => {
    log({ peer: name, from, to, ...(words === null ? {} : { why: words }), msg: "BGP session" });
  });
  const sidecar = new Sidecar(speaker);
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, resolve);
  });
  try {
    await sidecar.listen(socket);
    await keepSpeaking("process");
    log({ signal: await stopped, msg: "stopping" });
  } finally {
    sidecar.close();
    await speaker.stop({ cease });
  }
}

function log(fields: object): void {
  process.stderr.write(`${JSON.stringify({ level: 30, time: Date.now(), pid: process.pid, ...fields })}\n`);
}
