import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { commandsOf, examples, helpOf, NOT_TYPED, TYPED } from "../../test/fixtures/examples.ts";
import { completionScript } from "./completion.ts";
import { doctorAnswer } from "./doctor.ts";
import { sluiceProgram } from "./program.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const program = sluiceProgram(() => {});
const nameOf = (command: Command): string =>
  command.parent === null || command.parent === undefined ? "" : `${nameOf(command.parent)} ${command.name()}`.trim();

test("each command says what it does", () => {
  for (const command of commandsOf(program)) expect(command.description(), nameOf(command)).not.toBe("");
});

test("each command has an example, and each example is typed by a suite or named with the reason", () => {
  for (const command of commandsOf(program)) expect(helpOf(command), nameOf(command)).toMatch(/\nExamples?:\n {2}\S/);
  const given = [...examples().keys()].sort();
  expect([...Object.keys(TYPED), ...Object.keys(NOT_TYPED)].sort()).toEqual(given);
});

/** The words that no command takes, of a line that begins with `sluice`. */
function unknownIn(line: string): readonly string[] {
  let command: Command = program;
  let rest = line.trim().split(/\s+/);
  for (;;) {
    const next = command.commands.find((each) => each.name() === rest[0]);
    if (next === undefined) break;
    [command, rest] = [next, rest.slice(1)];
  }
  // A command that only has others below it takes no word of its own.
  if (command.commands.length > 0) return rest.slice(0, 1).filter((word) => /^[a-z]/.test(word) && word !== "help");
  // Prose names an option without what it takes.
  const last = command.options.find(({ short, long, required }) => required && [short, long].includes(rest.at(-1)));
  const words = last === undefined ? rest : rest.slice(0, -1);
  return command.parseOptions(words).unknown.filter((word) => word.startsWith("-"));
}

/** A process that compiles the whole program: a second alone, and many where others compile as well. */
const START = { timeout: 60_000 };

test.each([
  [["--help"], 0, ""],
  [["nonsense"], 1, "unknown command 'nonsense'"],
  [["status", "--nonsense"], 1, "unknown option '--nonsense'"],
  [["run", "--uplink", "eth0"], 1, "one of -f and --kubernetes is required"],
  [["run", "-f", "x", "--kubeconfig", "y", "--uplink", "eth0"], 1, "--kubeconfig: needs --kubernetes"],
  [["run", "-f", "x", "--uplink", "eth0", "--fleet"], 1, "--fleet: needs --cluster-secret"],
  [["run", "-f", "x", "--uplink", "eth0", "--fleet", "70000"], 1, "must be a whole number from 1 to 65535"],
  [["status", "--socket", "/nowhere/s.sock"], 1, "cannot reach a running Sluice at /nowhere/s.sock"],
  [["plan", "-f", "/nowhere"], 1, "/nowhere: does not exist"],
  [["replay", "/nowhere"], 1, "sluice: /nowhere: does not exist"],
])("%j ends with %d", START, (words, status, said) => {
  const script = `import { runProgram } from "./src/cli/program.ts"; process.exitCode = await runProgram(${JSON.stringify(words)});`;
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", script], { cwd: ROOT, encoding: "utf8" });
  expect(ended.stderr).toContain(said);
  // What stands in the way is one sentence, not where in the program it was found.
  expect(ended.stderr).not.toMatch(/^\s+at /m);
  expect(ended.status).toBe(status);
});

test("the examples in --help are words that the command takes", () => {
  const examples = commandsOf(program).flatMap((command) =>
    [...helpOf(command).matchAll(/^ {2}(?:.*\| |source <\()?sluice ([^|&)\n]*)/gm)].map(([, words]) => words!),
  );
  expect(examples.length).toBeGreaterThan(25);
  for (const words of examples) expect({ words, unknown: unknownIn(words) }).toEqual({ words, unknown: [] });
});

test("so are those in README and docs", () => {
  const pages = ["README.md", ...readdirSync(join(ROOT, "docs")).map((file) => `docs/${file}`)];
  const examples = pages
    .filter((file) => file.endsWith(".md"))
    .flatMap((file) => {
      const text = readFileSync(join(ROOT, file), "utf8");
      const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!).join("\n");
      const lines = [...blocks.matchAll(/^(?:.*[|&] *)?(?:bin\/)?sluice ([^|&#\n]*)/gm)];
      const inline = [...text.matchAll(/`(?:bin\/)?sluice ([^`]*)`/g)];
      return [...lines, ...inline].map(([, words]) => ({ file, words: words!.replace(/ \.\.\.$/, "") }));
    });
  expect(examples.length).toBeGreaterThan(60);
  for (const example of examples) {
    const unknown = example.words.split("; ").flatMap((words) => unknownIn(words));
    expect({ ...example, unknown }).toEqual({ ...example, unknown: [] });
  }
});

test.each([
  ["--l2-misses", "1", "from 2 to 100"],
  ["--l2-misses", "3.5", "from 2 to 100"],
  ["--l2-heartbeat", "0", "from 20 to 60000"],
])("`sluice run %s %s` is refused: %s", async (option, value, bounds) => {
  const said: string[] = [];
  const strict = sluiceProgram(() => {});
  for (const command of commandsOf(strict)) {
    command.exitOverride().configureOutput({ writeErr: (text) => said.push(text) });
  }
  const words = ["run", "-f", "/etc/sluice", "--node", "node1", "--uplink", "eth0", option, value];
  await expect(strict.parseAsync(words, { from: "user" })).rejects.toThrow();
  expect(said.join("")).toMatch(new RegExp(`option '${option} <[a-z]+>' argument '${value}' is invalid.*${bounds}`));
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

test("where nothing stands in the way, doctor says so", () => {
  expect(doctorAnswer([], false, "table")).toBe(
    "No gateway runs here (or `--socket` is another one).\nNothing stands in the way.\n",
  );
});
