/** The scenarios of docs/scenarios, which people run by `bin/sluice replay FILE`: each frame comes to what the file says. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { scenarioPolicies } from "../src/policy-host/scenario-policies.ts";
import { replay } from "../src/replay/replay.ts";
import { parseScenario } from "../src/replay/scenario.ts";

const FOLDER = new URL("../docs/scenarios/", import.meta.url);

interface Line {
  readonly id: string;
  readonly policies?: readonly { readonly module: string }[];
  readonly frames: readonly { readonly frame?: string; readonly packet?: object; readonly expect?: object }[];
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".jsonl"));

it("there are scenarios, and each frame in them has an expectation", () => {
  expect(files.length).toBeGreaterThan(5);
});

describe.each(files)("docs/scenarios/%s", (file) => {
  it.each(linesOf(file).map((line) => [line.id, line] as const))("%s", async (_, line) => {
    const frames = line.frames.filter(({ frame, packet }) => frame !== undefined || packet !== undefined);
    const expected = frames.map(({ expect: result }) => result);
    expect(expected).not.toContain(undefined);
    const scenario = parseScenario(line);
    const policies = await scenarioPolicies(scenario.policies, `${fileURLToPath(new URL(file, FOLDER))}:1`);
    expect(replay(scenario, undefined, policies).results).toEqual(expected);
  });
});

it("each moment in the life of a flow names scenarios that are there", () => {
  const page = readFileSync(new URL("../ARCHITECTURE.md", import.meta.url), "utf8");
  const [, part] = /^## The life of a flow$([\s\S]*?)^## /m.exec(page)!;
  const moments = part!.split("\n").filter((line) => line.startsWith("| ") && !/^\| (moment|---) /.test(line));
  expect(moments.length).toBeGreaterThan(15);
  for (const moment of moments) {
    const named = [
      ...moment
        .split(" | ")
        .at(-1)!
        .matchAll(/`([a-z-]+)`/g),
    ].map(([, name]) => `${name}.jsonl`);
    expect(named, moment).not.toEqual([]);
    expect(files, moment).toEqual(expect.arrayContaining(named));
  }
});

it("each policy that comes with Sluice has a scenario, and a part of its page", () => {
  const policies = readdirSync(new URL("../policies/", import.meta.url)).map((name) => name.replace(/\.ts$/, ""));
  const shown = linesOf("policies.jsonl").flatMap((line) => line.policies!.map(({ module }) => module));
  expect(new Set(shown)).toEqual(new Set(policies.map((name) => `builtin:${name}`)));
  const page = readFileSync(new URL("../docs/built-in-policies.md", import.meta.url), "utf8");
  const titles = page.split("\n").flatMap((line) => /^## (.*)$/.exec(line)?.slice(1) ?? []);
  expect(titles).toEqual(policies.toSorted());
});

function linesOf(file: string): Line[] {
  const lines = readFileSync(new URL(file, FOLDER), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Line);
}
