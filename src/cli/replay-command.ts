/** `sluice replay`: what it takes, in both its forms. */
import type { Command, Option } from "commander";
import { readLines } from "./lines.ts";
import { replayLine } from "./replay.ts";
import { runReplayCapture } from "./replay-capture.ts";

export function addReplayCommand(program: Command, output: Option, exit: (status: number) => void): void {
  program
    .command("replay")
    .description("feed frames through the pipeline without a NIC: one scenario per line in, one result per line out")
    .argument("[file]", "scenarios as JSON Lines; - is standard input")
    .option("--pcap <file>", "instead: a capture (pcap or pcapng) of what came in at the gateway's interfaces")
    .option("--config <path...>", "manifests to serve by, with --pcap", [])
    .option("--out <file>", "what would leave, as a capture: pcapng, or pcap by its name, with --pcap")
    .option("--node <name>", "the gateway's Node object, where the manifests have several")
    .option("--cluster-secret <file>", "the cluster's secret: flows get the backends that they have there")
    .addOption(output)
    .addHelpText(
      "after",
      "\nExamples:\n  sluice replay docs/scenarios/states.jsonl\n" +
        "  sluice replay --pcap in.pcap --config manifests/ --node node1 --out out.pcapng",
    )
    .action(async (file: string | undefined, flags) => {
      if (flags.pcap === undefined) {
        if (file === undefined) throw new Error("replay: a file of scenarios is missing, or --pcap");
        await replayScenarios(file);
        return;
      }
      if (file !== undefined) throw new Error("replay: give scenarios or --pcap, not both");
      if (flags.config.length === 0) throw new Error("replay --pcap: --config is missing, the manifests to serve by");
      if (flags.out === undefined) throw new Error("replay --pcap: --out is missing, the file to write");
      const { pcap, config, out, node = null, clusterSecret = null, output: form } = flags;
      const result = await runReplayCapture({ pcap, config, out, node, clusterSecret, output: form });
      process.stdout.write(result.stdout);
      process.stderr.write(result.stderr);
      exit(result.exitCode);
    });
}

async function replayScenarios(file: string): Promise<void> {
  let number = 0;
  for await (const line of readLines(file)) {
    process.stdout.write(`${await replayLine(line, `${file}:${++number}`)}\n`);
  }
}
