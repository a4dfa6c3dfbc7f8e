/** The words of `sluice doctor`; the native addon that it needs is loaded only when it is asked for. */
import type { Command, Option } from "commander";

const DEFAULT_L2_PORT = 9473;

export function addDoctorCommand(
  program: Command,
  { outputOption, defaultSocket }: { outputOption: Option; defaultSocket: string },
  exitWith: (status: number) => void,
): void {
  program
    .command("doctor")
    .description("look what on this node stands in the way, and how to put it right; exit with 1 while an error does")
    .requiredOption("--uplink <interface...>", "interface that faces routers and clients")
    .option("--socket <path>", "unix socket of the running process", defaultSocket)
    .addOption(outputOption)
    .addHelpText("after", "\nExample:\n  sluice doctor --uplink eth0")
    .action(async ({ uplink, socket, output }) => {
      const { runDoctor } = await import("./doctor.ts");
      const { stdout, exitCode } = await runDoctor({ uplinks: uplink, socket, output, l2Port: DEFAULT_L2_PORT });
      process.stdout.write(stdout);
      exitWith(exitCode);
    });
}
