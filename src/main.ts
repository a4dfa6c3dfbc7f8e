/** The entry of the program: the command line, and its exit status. */
import { runProgram } from "./cli/program.ts";

// Whoever reads the output has enough, as in `sluice monitor | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await runProgram(process.argv.slice(2));
