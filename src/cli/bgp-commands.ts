/** `sluice bgp ...`: what each command is called, takes and prints. */
import { writeFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { askOctets, follow } from "../api/client.ts";
import type { SpeakerEvent } from "../speaker/speaker-event.ts";
import { bgpDecode, bgpEncode } from "./bgp-decode.ts";
import { eventLine, explanationText, receivedTable } from "./bgp-tables.ts";
import { readLines } from "./lines.ts";
import { advertisedTable, peersTable } from "./show.ts";

/** A command that asks the running process and prints its answer as a table or as JSON. */
export type Show = <T>(
  command: Command,
  path: (flags: Record<string, unknown>, argument?: string) => string,
  table: (answer: T) => string,
) => void;

export function addBgpCommands(program: Command, show: Show, defaultSocket: string): void {
  const bgp = program.command("bgp").description("the BGP speaker, and its messages");
  show(
    bgp
      .command("peers")
      .description("the sessions, the last error of each and what to do about it")
      .addHelpText("after", "\nExample:\n  sluice bgp peers"),
    () => "/v1/bgp/peers",
    peersTable,
  );
  const routes = bgp.command("routes").description("the routes of a session");
  for (const parent of [bgp, routes]) {
    show(
      parent
        .command("advertised")
        .description("the routes that a peer has been told")
        .argument("<peer>", "name of the peer")
        .addHelpText("after", "\nExample:\n  sluice bgp advertised tor1"),
      (_flags, peer) => `/v1/bgp/advertised?peer=${encodeURIComponent(peer ?? "")}`,
      advertisedTable,
    );
  }
  show(
    routes
      .command("received")
      .description("the routes that a peer has told us; they are shown, never installed")
      .argument("<peer>", "name of the peer")
      .option("--limit <count>", "at most this many", "1000")
      .addHelpText("after", "\nExample:\n  sluice bgp routes received tor1 --limit 20"),
    (flags, peer) => `/v1/bgp/received?peer=${encodeURIComponent(peer ?? "")}&limit=${flags["limit"]}`,
    receivedTable,
  );
  show(
    bgp
      .command("explain")
      .description("why a peer has a prefix, or why it has it not")
      .argument("<prefix>", "such as 192.0.2.1/32")
      .option("--peer <name>", "only this one")
      .addHelpText("after", "\nExample:\n  sluice bgp explain 192.0.2.1/32 --peer tor1"),
    (flags, prefix) => {
      const peer = flags["peer"] === undefined ? "" : `&peer=${encodeURIComponent(String(flags["peer"]))}`;
      return `/v1/bgp/explain?prefix=${encodeURIComponent(prefix ?? "")}${peer}`;
    },
    explanationText,
  );
  bgp
    .command("capture")
    .description("write the last messages of a session to a file that Wireshark and tcpdump read")
    .argument("<peer>", "name of the peer")
    .requiredOption("-w, --write <file>", "the capture file")
    .addHelpText("after", "\nExample:\n  sluice bgp capture tor1 -w tor1.pcap")
    .option("--socket <path>", "unix socket of the running process", defaultSocket)
    .action(async (peer: string, flags) => {
      writeFileSync(flags.write, await askOctets(flags.socket, `/v1/bgp/capture?peer=${encodeURIComponent(peer)}`));
    });
  bgp
    .command("events")
    .description("what happens to the sessions, as it happens, until it is interrupted")
    .addHelpText("after", "\nExample:\n  sluice bgp events -o json")
    .option("--socket <path>", "unix socket of the running process", defaultSocket)
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"))
    .action(async ({ socket, output }) => {
      await follow(socket, "/v1/bgp/events", (line) => {
        process.stdout.write(`${output === "json" ? line : eventLine(JSON.parse(line) as SpeakerEvent)}\n`);
      });
    });
  addCodecCommands(bgp);
}

function addCodecCommands(bgp: Command): void {
  for (const [name, convert, what, example] of [
    [
      "decode",
      bgpDecode,
      "messages as hex to JSON, one per line from standard input",
      "ffffffffffffffffffffffffffffffff001304",
    ],
    ["encode", bgpEncode, "messages as JSON to hex, one per line from standard input", `'{"type":"KEEPALIVE"}'`],
  ] as const) {
    bgp
      .command(name)
      .description(what)
      .addHelpText("after", `\nExample:\n  echo ${example} | sluice bgp ${name}`)
      .option("--as4", "AS numbers have four octets")
      .option("--addpath", "prefixes carry path identifiers (RFC 7911)")
      .option("--ibgp", "the messages are of a session within one AS")
      .action(async (flags) => {
        for await (const line of readLines("-")) {
          for (const answer of convert([line], flags)) process.stdout.write(`${answer}\n`);
        }
      });
  }
}
