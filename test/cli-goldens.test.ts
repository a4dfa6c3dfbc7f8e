/**
 * What each command prints, as a table and as JSON, held against the files of test/data/cli. To look at a change of them:
 * `npx vitest run --project unit test/cli-goldens.test.ts -u`, then `git diff test/data/cli`.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Leftover } from "../src/agent/cleanup.ts";
import { judgeNode } from "../src/agent/node-findings.ts";
import { checkAnswer } from "../src/cli/check.ts";
import { cleanupAnswer } from "../src/cli/cleanup.ts";
import { doctorAnswer } from "../src/cli/doctor.ts";
import { runProgram, sluiceProgram } from "../src/cli/program.ts";
import { ANSWERS, NOW } from "./fixtures/cli-answers.ts";
import { OFFLOADS, UNFIT_NODE } from "./fixtures/unfit-node.ts";

const MANIFESTS = "test/data/manifests/seed-a";

/** Words of a command that asks the running process, by the name of its golden files. */
const ASKING: Readonly<Record<string, readonly string[]>> = {
  status: ["status"],
  services: ["services"],
  flows: ["flows"],
  policies: ["policies"],
  fleet: ["fleet"],
  "bgp-peers": ["bgp", "peers"],
  "bgp-advertised": ["bgp", "advertised", "tor1"],
  "bgp-routes-advertised": ["bgp", "routes", "advertised", "tor1"],
  "bgp-routes-received": ["bgp", "routes", "received", "tor1"],
  "bgp-explain": ["bgp", "explain", "192.168.10.100/32"],
  "bgp-events": ["bgp", "events"],
  "l2-owners": ["l2", "owners"],
  "l2-who": ["l2", "who", "10.0.5.100"],
  "l2-move": ["l2", "move", "10.0.5.100", "node2"],
  "explain-service": ["explain", "service", "default/web"],
  "explain-packet": ["explain", "packet", "203.0.113.10", "40000", "192.168.10.100", "80", "tcp"],
  drain: ["drain"],
  undrain: ["undrain"],
  monitor: ["monitor"],
};

/** Those that work without one. */
const ALONE: Readonly<Record<string, readonly string[]>> = {
  plan: ["plan", "-f", MANIFESTS],
};

/** Commands whose output is neither, and the test that shows it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  run: "test/netns/lab.test.ts",
  speaker: "test/netns/speaker-sidecar.test.ts",
  bundle: "src/cli/bundle.test.ts",
  replay: "test/scenario-files.test.ts",
  migrate: "src/cli/migrate.test.ts",
  "crds print": "test/crds.test.ts",
  "crds install": "test/kubernetes/crd-install.test.ts",
  "bgp capture": "src/cli/bgp-commands.test.ts",
  "bgp decode": "src/cli/bgp-decode.test.ts",
  "bgp encode": "src/cli/bgp-decode.test.ts",
  capture: "test/netns/monitor.test.ts",
  completion: "src/cli/program.test.ts",
};

let folder: string;
let server: Server;

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  folder = mkdtempSync(join(tmpdir(), "sluice-goldens-"));
  server = createServer((request, response) => {
    const answer = ANSWERS[request.url!.split("?")[0]!];
    response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(join(folder, "s.sock"), resolve));
});

afterAll(() => {
  vi.useRealTimers();
  server.close();
  rmSync(folder, { recursive: true });
});

async function printed(...words: readonly string[]): Promise<string> {
  let text = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    expect(await runProgram(words)).toBe(0);
  } finally {
    write.mockRestore();
  }
  return text;
}

const golden = (file: string) => join(import.meta.dirname, "data", "cli", file);

test.each(Object.entries({ ...ASKING, ...ALONE }))("%s as a table and as JSON", async (name, words) => {
  const where = name in ALONE ? [] : ["--socket", join(folder, "s.sock")];
  const table = await printed(...words, ...where);
  await expect(table).toMatchFileSnapshot(golden(`${name}.txt`));
  expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  const json = await printed(...words, ...where, "-o", "json");
  for (const value of isLines(words) ? json.trim().split("\n") : [json]) JSON.parse(value);
  await expect(json).toMatchFileSnapshot(golden(`${name}.json${isLines(words) ? "l" : ""}`));
});

const LOOKING: Readonly<Record<string, (output: "table" | "json") => string>> = {
  doctor: (output) => doctorAnswer(judgeNode(UNFIT_NODE), false, output),
  check: (output) => checkAnswer(OFFLOADS, { interfaces: ["eth0", "eth1"], output }),
  cleanup: (output) => cleanupAnswer(LEFTOVERS, output),
};

const LEFTOVERS: readonly Leftover[] = [
  { what: "/sys/fs/bpf/sluice-node1-eth0", removed: true, because: null },
  { what: "/sys/fs/bpf/sluice-node1-eth1", removed: false, because: "its gateway is running" },
  { what: "the interface sl0 and its other end", removed: true, because: null },
];

test.each(Object.entries(LOOKING))("%s as a table and as JSON, of what is found on a node", async (name, answer) => {
  const table = answer("table");
  expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  await expect(table).toMatchFileSnapshot(golden(`${name}.txt`));
  JSON.parse(answer("json"));
  await expect(answer("json")).toMatchFileSnapshot(golden(`${name}.json`));
});

function isLines(words: readonly string[]): boolean {
  return words.includes("monitor") || words.includes("events");
}

test("no command is without: those that print something else have a test elsewhere", () => {
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  const nameOf = (command: Command): string =>
    command.parent == null ? "" : `${nameOf(command.parent)} ${command.name()}`.trim();
  const shown = [...Object.values({ ...ASKING, ...ALONE }).map((words) => words.join(" ")), ...Object.keys(LOOKING)];
  for (const name of leaves(sluiceProgram(() => {})).map(nameOf)) {
    const file = ELSEWHERE[name];
    if (file === undefined)
      expect(
        shown.some((words) => `${words} `.startsWith(`${name} `)),
        name,
      ).toBe(true);
    else expect(existsSync(join(import.meta.dirname, "..", file)), `${name}: ${file}`).toBe(true);
  }
});
