/** `sluice l2 ...`: which node answers ARP and NDP for which address. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, Option } from "commander";
import type { L2Status, WhoAnswer } from "../announcer/announcer-message.ts";
import { ask, tell } from "../api/client.ts";
import type { Show } from "./bgp-commands.ts";
import { textTable } from "./text-table.ts";

const LINE_WIDTH = 100;
const MOVE_MILLISECONDS = 3000;
const LOOK_MILLISECONDS = 50;

export function addL2Commands(program: Command, show: Show, defaultSocket: string): void {
  const l2 = program.command("l2").description("addresses that are answered for on links (ARP, NDP)");
  show(
    l2
      .command("owners")
      .description("which node owns which address, and why")
      .addHelpText("after", "\nExample:\n  sluice l2 owners"),
    () => "/v1/l2/owners",
    ownersTable,
  );
  show(
    l2
      .command("who")
      .description("ask on the links who answers for an address, now")
      .argument("<address>", "IPv4 or IPv6")
      .addHelpText("after", "\nExample:\n  sluice l2 who 10.0.5.100"),
    (_flags, address) => `/v1/l2/who?address=${encodeURIComponent(address ?? "")}`,
    whoTable,
  );
  l2.command("move")
    .description("hand an address over to another node, losing nothing")
    .argument("<address>", "one that `l2 owners` lists")
    .argument("<node>", "one of its candidates")
    .option("--socket <path>", "unix socket of the running process", defaultSocket)
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table"))
    .addHelpText("after", "\nExample:\n  sluice l2 move 10.0.5.100 node2")
    .action(async (address: string, node: string, { socket, output }) => {
      await runMove(socket, address, node);
      process.stdout.write(
        output === "json" ? `${JSON.stringify({ address, owner: node }, null, 2)}\n` : `${node} owns ${address}\n`,
      );
    });
}

/** Waits until the new owner has taken the address, as far as this node hears. */
async function runMove(socket: string, address: string, node: string): Promise<void> {
  await tell(socket, `/v1/l2/move?address=${encodeURIComponent(address)}&node=${encodeURIComponent(node)}`);
  const end = performance.now() + MOVE_MILLISECONDS;
  for (;;) {
    const { owners } = await ask<L2Status>(socket, "/v1/l2/owners");
    const now = owners.find((one) => one.address === address);
    if (now?.owner === node && now.state === "owned") return;
    if (performance.now() > end) {
      throw new Error(`${node} has not taken ${address} after ${MOVE_MILLISECONDS / 1000} s: is it alive?`);
    }
    await sleep(LOOK_MILLISECONDS);
  }
}

export function ownersTable({ owners, members, links }: L2Status): string {
  const sections = [
    textTable(
      ["ADDRESS", "OWNER", "STATE", "HERE", "SEEN", "SERVICES", "WHY NOT HERE"],
      owners.map((one) => [
        one.address,
        one.owner ?? "-",
        one.state,
        one.answersHere.join(",") || "-",
        one.owner === null ? "-" : one.unseenBy === null ? "yes" : `not by ${one.unseenBy}`,
        one.services.join(","),
        one.notHere ?? "",
      ]),
      LINE_WIDTH,
    ),
    textTable(
      ["NODE", "ALIVE", "ADDRESSES", "LAST HEARD", "HELD DOWN"],
      members.map(({ node, alive, addresses, silentMilliseconds, held }) => [
        node,
        alive ? "yes" : "NO",
        String(addresses),
        silentMilliseconds === null ? "never" : `${(silentMilliseconds / 1000).toFixed(1)} s ago`,
        held ? "yes" : "no",
      ]),
      LINE_WIDTH,
    ),
    textTable(
      ["INTERFACE", "CARRIER", "GATEWAY"],
      links.map((link) => [link.interface, link.carrier ? "yes" : "NO", link.gateway]),
      LINE_WIDTH,
    ),
  ];
  return `${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

export function whoTable(answers: readonly WhoAnswer[]): string {
  if (answers.length === 0) return "nobody else answers; `sluice l2 owners` tells whether this node does\n";
  const rows = answers.map(({ interface: name, mac, node }) => [name, mac, node ?? "a stranger"]);
  return `${textTable(["INTERFACE", "MAC", "NODE"], rows, LINE_WIDTH).join("\n")}\n`;
}
