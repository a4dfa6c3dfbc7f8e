/** `sluice monitor` and `sluice capture`: frames as they happen, of the running process. */
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { styleText } from "node:util";
import { type Command, Option } from "commander";
import { follow, open } from "../api/client.ts";
import { FRAME_VERDICTS, type FrameEvent } from "../trace/frame-event.ts";
import { monitorLine } from "../trace/frame-sentence.ts";
import { showProgress } from "./progress.ts";
import { wrapText } from "./text-table.ts";

const LINE_WIDTH = 100;
/** A capture that nobody ends shall end all the same. */
const CAPTURE_COUNT = 10_000;
const CAPTURE_SECONDS = 60;

type Positive = (text: string) => number;

export function addTraceCommands(program: Command, defaultSocket: string, positive: Positive): void {
  const monitor = program
    .command("monitor")
    .description("frames as they happen: what became of each, and why; until it is interrupted")
    .option("--count <frames>", "end after so many", positive)
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"))
    .addHelpText(
      "after",
      "\nExamples:\n  sluice monitor --verdict dropped\n  sluice monitor --service default/web --sample 1",
    );
  withFilters(monitor, defaultSocket).action(async (flags) => {
    await follow(flags.socket, `/v1/monitor?${query(flags)}`, (line) => {
      process.stdout.write(flags.output === "json" ? `${line}\n` : monitorText(JSON.parse(line) as Told));
    });
  });

  const capture = program
    .command("capture")
    .description("write frames, as they come in and as they go on, to a file that Wireshark reads, with a comment each")
    .requiredOption("-w, --write <file>", "the capture file (pcapng); - is standard output")
    .option("--count <frames>", "end after so many", positive, CAPTURE_COUNT)
    .option("--seconds <seconds>", "end after so long", positive, CAPTURE_SECONDS)
    .option("--snap <bytes>", "cut longer frames", positive, 65_535)
    .addHelpText("after", "\nExamples:\n  sluice capture -w web.pcapng --service default/web --seconds 10");
  withFilters(capture, defaultSocket).action(async (flags) => {
    const frames = await open(flags.socket, `/v1/capture?${query(flags)}`);
    const end = () => void frames.destroy();
    const timer = setTimeout(end, flags.seconds * 1000);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, end);
    let bytes = 0;
    frames.on("data", (part: Buffer) => {
      bytes += part.length;
    });
    const begun = performance.now();
    const seconds = () => Math.round((performance.now() - begun) / 1000);
    const endProgress = showProgress(
      () => `capturing: ${seconds()} s of ${flags.seconds}, ${Math.round(bytes / 1000)} kB; Ctrl-C ends it`,
    );
    const file = flags.write === "-" ? process.stdout : createWriteStream(flags.write);
    // Ended from here, the stream is cut off, which is as it should be: what has come is in the file.
    await pipeline(frames, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ERR_STREAM_PREMATURE_CLOSE" && error.code !== "ECONNRESET") throw error;
    });
    clearTimeout(timer);
    endProgress();
  });
}

/** What the process tells: a frame, or how many frames could not be told. */
export type Told = FrameEvent | { readonly lost: number };

function monitorText(told: Told): string {
  if ("lost" in told) return `(${told.lost} frames found no room and are not shown)\n`;
  const lines = wrapText(monitorLine(told), LINE_WIDTH).join("\n");
  const colour = told.verdict === "dropped" ? "red" : told.verdict === "answered" ? "yellow" : null;
  return `${colour === null ? lines : styleText(colour, lines, { stream: process.stdout })}\n`;
}

function withFilters(command: Command, defaultSocket: string): Command {
  return command
    .option("--service <service>", "only frames of this Service: NAMESPACE/NAME")
    .option("--client <prefix>", "only frames of this client, or of clients in this prefix")
    .option("--reason <reason>", "only frames that were stopped for this reason, such as NoBackend")
    .addOption(new Option("--verdict <verdict>", "only frames that ended so").choices(FRAME_VERDICTS))
    .option("--policy <policy>", "only frames of flows that this policy has decided about")
    .option("--captured", "only frames of flows that a policy wants to be seen")
    .option(
      "--sample <frames>",
      "of what the kernel forwards, one frame of so many: a power of two, or 0 for none",
      "64",
    )
    .option("--socket <path>", "unix socket of the running process", defaultSocket);
}

function query(flags: Record<string, unknown>): URLSearchParams {
  const asked = new URLSearchParams();
  for (const word of ["service", "client", "reason", "verdict", "policy", "captured", "sample", "count", "snap"]) {
    if (flags[word] !== undefined) asked.set(word, String(flags[word]));
  }
  return asked;
}
