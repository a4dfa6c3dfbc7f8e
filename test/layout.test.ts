/**
 * What a gateway leaves in the kernel for the next one has one meaning per layout number. A digest of each struct and
 * map of native/bpf that makes it up, and the constants, are kept beside that number: who changes one raises the number, so that a build
 * never takes over tables that it would read otherwise.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SETTINGS_LAYOUT_NOW } from "../src/xdp/door-maps.ts";

const FOLDER = join(import.meta.dirname, "../native/bpf");
/** Constants by which words of those structs are read; others are limits and measures. */
const MEANING =
  /^(FLOW|EGRESS|OWNED|SETTINGS|PORT|TUNNEL|NEIGHBOR|ROUTE|TABLE|HEADER|VIP|BACKEND|SOURCE_NAT|LOAD|MAGLEV)_/;
const KEPT = join(import.meta.dirname, "data/layouts");

test("what is pinned is what its layout number stands for; a change needs another number, and then `vitest -u`", async () => {
  await expect(layout()).toMatchFileSnapshot(join(KEPT, `layout-${SETTINGS_LAYOUT_NOW}.txt`));
});

test("one layout is kept, that of today", () => {
  expect(readdirSync(KEPT)).toEqual([`layout-${SETTINGS_LAYOUT_NOW}.txt`]);
});

/** All maps, the structs that they hold, and the constants by which both are read: a line for each, its name and digest. */
function layout(): string {
  const texts = readdirSync(FOLDER)
    .filter((name) => name.endsWith(".h"))
    .toSorted()
    .map((name) => withoutComments(readFileSync(join(FOLDER, name), "utf8")));
  const all = texts.join("\n");
  const structs = new Map([...all.matchAll(/^struct (\w+) \{[\s\S]*?^\}.*;/gm)].map(([text, name]) => [name!, text]));
  const maps = new Map(
    [...all.matchAll(/^struct \{[^}]*\} (\w+) SEC\("\.maps"\);/gm)].map(([text, name]) => [name!, text]),
  );
  const held = new Set<string>();
  const hold = (text: string) => {
    for (const [, name] of text.matchAll(/struct (\w+)/g)) {
      if (!structs.has(name!) || held.has(name!)) continue;
      held.add(name!);
      hold(structs.get(name!)!);
    }
  };
  for (const map of maps.values()) hold(map);
  const constants = [...all.matchAll(/^#define (\w+) (.*)$/gm)].filter(([, name]) => MEANING.test(name!));
  const lines = [
    // In no file's order: what moves from one to another means the same.
    ...constants.map(([, name, value]) => `constant ${name} ${value!.trim()}`).toSorted(),
    ...[...held].toSorted().map((name) => `struct ${name} ${digest(structs.get(name)!)}`),
    ...[...maps].map(([name, text]) => `map ${name} ${digest(text)}`),
  ];
  return `${lines.join("\n")}\n`;
}

function digest(text: string): string {
  return createHash("sha256").update(text.replaceAll(/\s+/g, " ")).digest("hex").slice(0, 16);
}

/** Nor the space that they leave. */
function withoutComments(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/[ \t]+$/gm, "")
    .replaceAll(/\n\n+/g, "\n");
}
