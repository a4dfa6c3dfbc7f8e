/** `sluice explain service` and `sluice explain packet`: why something is as it is. */
import type { Command, Option } from "commander";
import { runExplain } from "./explain.ts";
import { runExplainPacket } from "./explain-packet.ts";

export function addExplainCommands(program: Command, defaultSocket: string, outputOption: () => Option): void {
  const socketOption = ["--socket <path>", "unix socket of the running process", defaultSocket] as const;
  const explain = program.command("explain").description("why something is as it is");
  explain
    .command("service")
    .description("from the pools to the routes, and at every no the reason")
    .argument("<service>", "NAMESPACE/NAME")
    .option("-f, --filename <path...>", "manifests to explain, instead of the running process", [])
    .option(...socketOption)
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nExamples:\n  sluice explain service default/web\n  sluice explain service web -f manifests/",
    )
    .action(async (service: string, { filename: paths, socket, output }) => {
      process.stdout.write(await runExplain({ service, paths, socket, output }));
    });
  explain
    .command("packet")
    .description("what the running process would do with a packet, by its real tables; nothing is sent or opened")
    .argument("<source>", "address of the client")
    .argument("<source-port>", "port of the client")
    .argument("<destination>", "address that it asks")
    .argument("<destination-port>", "port that it asks")
    .argument("<protocol>", "tcp or udp")
    .option("--from <interface>", "the port that it comes in by; the first uplink unless told")
    .option(...socketOption)
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  sluice explain packet 203.0.113.10 40000 192.168.10.100 80 tcp")
    .action(
      async (
        source: string,
        sourcePort: string,
        destination: string,
        destinationPort: string,
        protocol: string,
        flags,
      ) => {
        const question = { source, sourcePort, destination, destinationPort, protocol, from: flags.from ?? null };
        process.stdout.write(await runExplainPacket(question, flags));
      },
    );
}
