/** The scenarios of docs/scenarios, which people run by `bin/sluice replay FILE`: each frame comes to what the file says. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { replay } from "../src/replay/replay.ts";
import { parseScenario } from "../src/replay/scenario.ts";

const FOLDER = new URL("../docs/scenarios/", import.meta.url);

interface Line {
  readonly id: string;
  readonly frames: readonly { readonly frame?: string; readonly expect?: object }[];
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".jsonl"));

it("there are scenarios, and each frame in them has an expectation", () => {
  expect(files.length).toBeGreaterThan(5);
});

describe.each(files)("docs/scenarios/%s", (file) => {
  const lines = readFileSync(new URL(file, FOLDER), "utf8").trimEnd().split("\n");
  it.each(lines.map((line) => JSON.parse(line) as Line).map((line) => [line.id, line] as const))("%s", (_, line) => {
    const expected = line.frames.filter(({ frame }) => frame !== undefined).map(({ expect: result }) => result);
    expect(expected).not.toContain(undefined);
    expect(replay(parseScenario(line)).results).toEqual(expected);
  });
});
