/**
 * A process with a speaker in it, steered by lines of JSON on stdin and answering by lines on stdout: a test starts it
 * inside a network namespace. After a stop the speaker is started again, with no session.
 */
import { createInterface } from "node:readline";
import type { SpeakerSpec } from "../../src/bgp/speaker-spec.ts";
import { Speaker } from "../../src/speaker/speaker.ts";

export type Command =
  | { readonly do: "apply"; readonly spec: SpeakerSpec }
  | { readonly do: "status" }
  | { readonly do: "advertised"; readonly peerName: string }
  | { readonly do: "received"; readonly peerName: string }
  | { readonly do: "explain"; readonly prefix: string }
  | { readonly do: "refresh"; readonly peerName: string }
  | { readonly do: "capture"; readonly peerName: string }
  /** Keeps the main thread busy: the sessions must not feel it. */
  | { readonly do: "block"; readonly milliseconds: number }
  | { readonly do: "stop"; readonly cease: boolean };

const speaker = new Speaker({ restarting: process.argv.includes("--restarting") });
await speaker.start();
const print = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
speaker.onEvent((event) => print({ event }));

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command & { readonly id: number };
  try {
    print({ id: command.id, value: (await run(command)) ?? null });
  } catch (error) {
    print({ id: command.id, error: String(error) });
  }
}
await speaker.stop({ cease: false });

function run(command: Command): Promise<unknown> {
  switch (command.do) {
    case "apply":
      return speaker.apply(command.spec);
    case "status":
      return speaker.status();
    case "advertised":
      return speaker.advertised(command.peerName);
    case "received":
      return speaker.received(command.peerName);
    case "explain":
      return speaker.explain(command.prefix);
    case "refresh":
      return speaker.refresh(command.peerName);
    case "capture":
      return speaker.capture(command.peerName).then((octets) => Buffer.from(octets ?? []).toString("base64"));
    case "block": {
      const until = performance.now() + command.milliseconds;
      while (performance.now() < until);
      return Promise.resolve();
    }
    case "stop":
      return speaker.stop({ cease: command.cease }).then(() => speaker.start());
  }
}
