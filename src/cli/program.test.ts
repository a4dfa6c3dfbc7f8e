import { spawnSync } from "node:child_process";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { completionScript } from "./completion.ts";
import { doctorText } from "./doctor.ts";
import { sluiceProgram } from "./program.ts";

const program = sluiceProgram(() => {});
const leaves = (command: Command): Command[] =>
  command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
const nameOf = (command: Command): string =>
  command.parent === null || command.parent === undefined ? "" : `${nameOf(command.parent)} ${command.name()}`.trim();

/** What `--help` prints, the parts that are added to it as well. */
function help(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (some) => {
      text += some;
    },
  });
  command.outputHelp();
  return text;
}

test("each command says what it does", () => {
  for (const command of leaves(program)) expect(command.description(), nameOf(command)).not.toBe("");
});

test("the examples in --help are words that the command takes", () => {
  const examples = leaves(program).flatMap((command) =>
    [...help(command).matchAll(/^ {2}(?:.*\| |source <\()?sluice ([^|&)\n]*)/gm)].map(([, words]) =>
      words!.trim().split(/\s+/),
    ),
  );
  expect(examples.length).toBeGreaterThan(15);
  for (const words of examples) {
    let command: Command = program;
    let rest = words;
    for (;;) {
      const next = command.commands.find((each) => each.name() === rest[0]);
      if (next === undefined) break;
      [command, rest] = [next, rest.slice(1)];
    }
    const { unknown } = command.parseOptions(rest);
    expect({ words: words.join(" "), unknown }).toEqual({ words: words.join(" "), unknown: [] });
  }
});

test.each([
  [["sluice", "expl"], ["explain"]],
  [
    ["sluice", "explain", ""],
    ["packet", "service"],
  ],
  [
    ["sluice", "status", "-o", ""],
    ["json", "table"],
  ],
  [
    ["sluice", "run", "--datapath", ""],
    ["auto", "hybrid", "kernel", "userspace"],
  ],
  [["sluice", "flows", "--l"], ["--limit"]],
])("bash completes %j", (words, expected) => {
  const script = `${completionScript(program, "bash")}
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  const found = stdout
    .trim()
    .split("\n")
    .filter((word) => !word.startsWith("-") || words.at(-1)!.startsWith("-"));
  expect(found.sort()).toEqual(expected);
});

test("doctor tells each finding with its fix, or that there is none", () => {
  expect(doctorText([], false)).toBe(
    "No gateway runs here (or `--socket` is another one).\nNothing stands in the way.\n",
  );
  expect(doctorText([{ severity: "error", what: "eth0 is down", fix: "ip link set eth0 up" }], true)).toBe(
    "A gateway runs here.\nerror: eth0 is down\n    fix: ip link set eth0 up\n",
  );
});
