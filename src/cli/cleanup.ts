/** `sluice cleanup`: a line for each thing that was taken away, or that is in use. */
import type { Command, Option } from "commander";
import type { Leftover } from "../agent/cleanup.ts";

export function addCleanupCommand(program: Command, outputOption: Option): void {
  program
    .command("cleanup")
    .description("take away what gateways that died have left in the kernel: programs, flow tables, the veth pair")
    .addOption(outputOption)
    .addHelpText("after", "\nExample:\n  sluice cleanup")
    .action(async ({ output }) => {
      const { cleanup } = await import("../agent/cleanup.ts");
      process.stdout.write(cleanupAnswer(await cleanup(), output));
    });
}

export function cleanupAnswer(found: readonly Leftover[], output: "table" | "json"): string {
  if (output === "json") return `${JSON.stringify(found, null, 2)}\n`;
  if (found.length === 0) return "nothing was left\n";
  return found
    .map(({ what, removed, because }) => (removed ? `removed ${what}\n` : `left ${what}: ${because}\n`))
    .join("");
}
