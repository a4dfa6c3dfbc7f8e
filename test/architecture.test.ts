/**
 * The building regulations: which room may import which, what a pure room may touch, how files are named and licensed.
 *
 * The rules read source text, not a syntax tree: comments and the insides of strings are blanked first, so that prose
 * about clocks is not a clock. A rule returns sentences; an empty list means that it holds. The last group of tests
 * breaks each rule on purpose.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

/** Rooms of `src/` and the rooms that each may import besides itself; `"all"` for those that compose others. */
const MAY_IMPORT: Record<string, readonly string[] | "all"> = {
  net: [],
  wire: ["net"],
  intent: ["net"],
  manifests: ["intent", "net"],
  ipam: ["intent", "net"],
  dataplane: ["wire", "net"],
  policy: ["dataplane", "wire", "net"],
  bgp: ["net"],
  bfd: ["net"],
  l2: ["net"],
  control: ["intent", "ipam", "bgp", "l2", "dataplane", "net"],
  xdp: ["net"],
  trace: ["dataplane", "wire", "net"],
  worker: ["dataplane", "trace", "policy", "policy-host", "xdp", "wire", "net"],
  "policy-host": ["policy", "dataplane", "manifests", "intent", "xdp", "net"],
  announcer: ["l2", "dataplane", "wire", "xdp", "net"],
  speaker: ["bgp", "bfd", "net", "xdp"],
  config: ["manifests", "intent", "net"],
  kubernetes: ["control", "ipam", "manifests", "intent", "bgp", "net"],
  agent: "all",
  fleet: ["agent", "bgp", "net"],
  api: "all",
  cli: "all",
  replay: ["dataplane", "policy", "wire", "net"],
};

/** Rooms without effects: time, entropy and bytes come in as arguments. */
const PURE = [
  "net",
  "wire",
  "intent",
  "manifests",
  "ipam",
  "dataplane",
  "policy",
  "trace",
  "bgp",
  "bfd",
  "l2",
  "control",
  "replay",
];

/** npm packages that do no I/O, so that a pure room may use them. */
const PURE_PACKAGES = ["ajv"];

const EFFECTS =
  /(?<![\w.$])(?:Date\.now|new Date\(\s*\)|performance\.|Math\.random|process\.|console\.|fetch\(|crypto\.|(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b)/g;

const BANNED_NAME = /^(?:index|utils?|helpers?|common|types|managers?)\./;
const LONGEST_FILE = 400;
const BPF_LICENCE = /^\/[/*] SPDX-License-Identifier: \(?GPL-2\.0(?:-only)? OR BSD-2-Clause\)?/;

interface Source {
  /** Path from the root of the repository. */
  readonly path: string;
  readonly text: string;
}

function sources(folder: string, ending: RegExp): Source[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name) && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ path: relative(ROOT, file), text: readFileSync(file, "utf8") }));
}

/** `src/net/ipv4.ts` is of the room `net`; `src/main.ts`, which composes, is of none. */
function roomOf(path: string): string | null {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? null;
}

function isTest(path: string): boolean {
  return path.endsWith(".test.ts");
}

function withoutComments(text: string): string {
  return text.replace(/("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|\/\*[\s\S]*?\*\/|\/\/.*/g, "$1");
}

function withoutCommentsAndStrings(text: string): string {
  return withoutComments(text).replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, '""');
}

/** Every module specifier: of import and export declarations, and of dynamic imports. */
function imported(text: string): string[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"']+)["']/g;
  return [...withoutComments(text).matchAll(pattern)].map((match) => match[1]!);
}

function forbiddenImports({ path, text }: Source): string[] {
  const room = roomOf(path);
  if (room === null || isTest(path)) return [];
  const allowed = MAY_IMPORT[room];
  if (allowed === undefined) return [`${path}: the import table has no room "${room}"`];
  const found: string[] = [];
  for (const specifier of imported(text)) {
    if (specifier.startsWith(".")) {
      const target = normalize(join(dirname(path), specifier));
      const targetRoom = roomOf(target);
      if (targetRoom === room || allowed === "all") continue;
      if (targetRoom === null || !allowed.includes(targetRoom)) found.push(`${path}: ${room} may not import ${target}`);
    } else if (PURE.includes(room) && !PURE_PACKAGES.includes(specifier.split("/")[0]!)) {
      found.push(`${path}: ${room} is pure and may not import ${specifier}`);
    }
  }
  return found;
}

function effects({ path, text }: Source): string[] {
  const room = roomOf(path);
  if (room === null || !PURE.includes(room) || isTest(path)) return [];
  return [...withoutCommentsAndStrings(text).matchAll(EFFECTS)].map(
    (match) => `${path}: ${room} is pure and may not use ${match[0]}`,
  );
}

function misnamed({ path }: Source): string[] {
  const name = path.split("/").at(-1)!;
  return BANNED_NAME.test(name) ? [`${path}: "${name}" does not say what is inside`] : [];
}

function withoutRoomCard({ path, text }: Source): string[] {
  return isTest(path) || text.startsWith("/**") ? [] : [`${path}: does not open with its room card`];
}

function tooLong({ path, text }: Source): string[] {
  const lines = text.split("\n").length - 1;
  return lines > LONGEST_FILE ? [`${path}: has ${lines} lines, so it holds more than one concept`] : [];
}

function withoutBpfLicence({ path, text }: Source): string[] {
  return BPF_LICENCE.test(text) ? [] : [`${path}: does not open with its SPDX licence, GPL-2.0 OR BSD-2-Clause`];
}

const source = sources("src", /\.ts$/);
const everything = [...source, ...["test", "scripts", "bench"].flatMap((folder) => sources(folder, /\.ts$/))];
const bpf = sources("native/bpf", /\.[ch]$/);

describe("the building", () => {
  test("each room imports only what the import table allows", () => {
    expect(source.flatMap(forbiddenImports)).toEqual([]);
  });
  test("pure rooms have no clock, no randomness and no I/O", () => {
    expect(source.flatMap(effects)).toEqual([]);
  });
  test("no file has a name under which anything could be put", () => {
    expect(everything.flatMap(misnamed)).toEqual([]);
  });
  test("each source file opens with its room card", () => {
    expect(source.flatMap(withoutRoomCard)).toEqual([]);
  });
  test("no file is longer than one concept needs", () => {
    expect(everything.flatMap(tooLong)).toEqual([]);
  });
  test("the BPF programs carry a licence that the kernel accepts", () => {
    expect(bpf.length).toBeGreaterThan(0);
    expect(bpf.flatMap(withoutBpfLicence)).toEqual([]);
  });
});

describe("a violation is found:", () => {
  test("an import from a room above", () => {
    const text = 'import { plan } from "../control/plan.ts";';
    expect(forbiddenImports({ path: "src/net/ipv4.ts", text })).toEqual([
      "src/net/ipv4.ts: net may not import src/control/plan.ts",
    ]);
    expect(forbiddenImports({ path: "src/control/node-plan.ts", text })).toEqual([]);
    expect(forbiddenImports({ path: "src/main.ts", text })).toEqual([]);
    expect(forbiddenImports({ path: "src/bgp/a.ts", text: 'export type { A } from "../ipam/a.ts";' })).toHaveLength(1);
    expect(forbiddenImports({ path: "src/bgp/a.ts", text: 'await import("../../test/a.ts");' })).toHaveLength(1);
    expect(forbiddenImports({ path: "src/attic/a.ts", text })).toHaveLength(1);
  });
  test("a Node module or a package with effects in a pure room", () => {
    const text = 'import { readFileSync } from "node:fs";\nimport "pino";\nimport { Ajv } from "ajv/dist/2020.js";';
    expect(forbiddenImports({ path: "src/ipam/pool.ts", text })).toHaveLength(2);
    expect(forbiddenImports({ path: "src/xdp/native.ts", text })).toEqual([]);
  });
  test("a clock or a random number in a pure room", () => {
    for (const use of [
      "Date.now()",
      "new Date()",
      "Math.random()",
      "setTimeout(f, 1)",
      "process.env.A",
      `\`\${performance.now()}\``,
    ]) {
      expect(effects({ path: "src/bgp/fsm.ts", text: `const x = ${use};` }), use).toHaveLength(1);
      expect(effects({ path: "src/speaker/shell.ts", text: `const x = ${use};` }), use).toEqual([]);
    }
  });
  test("but prose about clocks, or a field of that name, is none", () => {
    const text =
      '// Date.now() is for shells\nconst hint = "process.exit"; /* Math.random */ const n = plan.process.length;';
    expect(effects({ path: "src/bgp/fsm.ts", text })).toEqual([]);
  });
  test("a name, a missing room card, an endless file, a missing licence", () => {
    expect(misnamed({ path: "src/net/utils.ts", text: "" })).toHaveLength(1);
    expect(misnamed({ path: "src/bgp/index.ts", text: "" })).toHaveLength(1);
    expect(withoutRoomCard({ path: "src/net/a.ts", text: "export const A = 1;" })).toHaveLength(1);
    expect(tooLong({ path: "src/net/a.ts", text: "\n".repeat(LONGEST_FILE + 1) })).toHaveLength(1);
    expect(withoutBpfLicence({ path: "native/bpf/a.c", text: "int x;" })).toHaveLength(1);
    expect(
      withoutBpfLicence({ path: "native/bpf/a.h", text: "/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause) */" }),
    ).toEqual([]);
  });
});
