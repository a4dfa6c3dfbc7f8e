/** The entry of the program: the command line, and its exit status. */
import { runProgram } from "./cli/program.ts";

process.exitCode = await runProgram(process.argv.slice(2));
