import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { sluiceProgram } from "../src/cli/program.ts";
import { DROP_MEANINGS } from "../src/dataplane/drop-meaning.ts";

const ROOT = join(import.meta.dirname, "..");
const TROUBLE = readFileSync(join(ROOT, "docs/troubleshooting.md"), "utf8");
const INSTALL = readFileSync(join(ROOT, "docs/install.md"), "utf8");

test("every reason is explained in docs/troubleshooting.md as the program explains it", () => {
  for (const [reason, meaning] of Object.entries(DROP_MEANINGS)) {
    if (reason !== "None") expect(TROUBLE).toContain(`| \`${reason}\` | ${meaning} |`);
  }
});

test("the commands in the documents are commands", () => {
  const named = [...`${TROUBLE}${INSTALL}`.matchAll(/`sluice ([^`]+)`/g)].map(([, words]) => words!.split(/\s+/));
  expect(named.length).toBeGreaterThan(15);
  for (const words of named) {
    let command: Command = sluiceProgram(() => {});
    for (const word of words) {
      const next = command.commands.find((each) => each.name() === word);
      if (next === undefined) break;
      command = next;
    }
    expect(command.commands.length, `sluice ${words.join(" ")}`).toBe(0);
  }
});

test("what docs/install.md applies, copies and links to is there", () => {
  const paths = [...INSTALL.matchAll(/\bdeploy\/[\w./-]*\w/g)].map(([path]) => path);
  const links = [...INSTALL.matchAll(/\]\(([\w./-]+)\)/g)].map(([, link]) => join(dirname("docs/install.md"), link!));
  expect(paths.length).toBeGreaterThan(8);
  for (const path of [...paths, ...links]) expect(existsSync(join(ROOT, path)), path).toBe(true);
});

test("the systemd unit starts `sluice run` with options that it has, and the DaemonSet's capabilities", () => {
  const unit = readFileSync(join(ROOT, "deploy/systemd/sluice.service"), "utf8").replaceAll("\\\n", "");
  const words = /^ExecStart=\S+ run (.*)$/m
    .exec(unit)![1]!
    .replace("$SLUICE_ARGS", "--uplink=eth0")
    .trim()
    .split(/\s+/);
  const run = sluiceProgram(() => {}).commands.find((command) => command.name() === "run")!;
  expect(run.parseOptions(words)).toEqual({ operands: [], unknown: [] });
  const daemonset = readFileSync(join(ROOT, "deploy/base/daemonset.yaml"), "utf8");
  const added = [...daemonset.matchAll(/^ {16}- ([A-Z_]+) #/gm)].map(([, name]) => `CAP_${name}`);
  expect(/^CapabilityBoundingSet=(.*)$/m.exec(unit)![1]!.split(" ")).toEqual(added);
});
