/**
 * The entry of `sluice speaker`, with nothing loaded that the sessions do not need: that is 55 MB less than by way of the
 * command line's own entry (bench/bgp.ts). Whatever is not a plain start, such as `--help`, is left to the command line.
 */
import { parseArgs } from "node:util";
import { runSpeaker } from "./cli/speaker.ts";

const plain = plainStart(process.argv.slice(2));
if (plain !== null) await runSpeaker(plain.socket, plain.cease);
else {
  const { runProgram } = await import("./cli/program.ts");
  process.exitCode = await runProgram(["speaker", ...process.argv.slice(2)]);
}

function plainStart(args: readonly string[]): { socket: string; cease: boolean } | null {
  try {
    const options = { socket: { type: "string" }, cease: { type: "boolean", default: false } } as const;
    const { socket, cease } = parseArgs({ args: [...args], options }).values;
    return socket === undefined ? null : { socket, cease };
  } catch {
    return null;
  }
}
