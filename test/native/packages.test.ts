/** What the program is made of: the list that `npm run sbom` prints is whole, and none of it has a known hole. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Bom } from "../../scripts/sbom.ts";

const ROOT = join(import.meta.dirname, "../..");
const PACKAGE = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const LOCK = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));

interface Audit {
  /** Where the registry did not answer. */
  readonly message?: string;
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string }>>;
}

function npm(...words: string[]): string {
  const { stdout, error } = spawnSync("npm", words, { cwd: ROOT, encoding: "utf8", timeout: 60_000 });
  if (error !== undefined) throw error;
  return stdout;
}

test("the list of packages has all of the running program's, each with its version, and none of the tools'", () => {
  const { components } = JSON.parse(npm("run", "--silent", "sbom")) as Bom;
  const listed = components.map(({ purl }) => decodeURIComponent(purl));
  const purl = (name: string) => `pkg:npm/${name}@${LOCK.packages[`node_modules/${name}`].version}`;
  expect(listed).toEqual(expect.arrayContaining(Object.keys(PACKAGE.dependencies).map(purl)));
  // What lies in node_modules and is for the tools alone is marked so by npm; the rest is the program's.
  const marked = Object.entries(
    LOCK.packages as Record<string, { dev?: boolean; devOptional?: boolean; version: string }>,
  )
    .filter(([path, { dev, devOptional }]) => path !== "" && dev !== true && devOptional !== true)
    .map(([path, { version }]) => `pkg:npm/${path.slice(path.lastIndexOf("node_modules/") + 13)}@${version}`);
  expect(new Set(listed)).toEqual(new Set(marked));
});

test("none of them has a known vulnerability", ({ skip }) => {
  const audit = JSON.parse(npm("audit", "--omit=dev", "--json") || "{}") as Audit;
  if (audit.vulnerabilities === undefined) skip(`the registry answers no audits: ${audit.message ?? "no answer"}`);
  expect(audit.vulnerabilities).toEqual({});
});
