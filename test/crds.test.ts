import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { crdFiles } from "../src/config/crd-text.ts";

const FOLDER = join(import.meta.dirname, "../deploy/crds");

test("the definitions that are shipped are those of the schemas (node scripts/crds.ts writes them)", () => {
  expect(readdirSync(FOLDER).sort()).toEqual([...crdFiles().keys()].sort());
  for (const [name, text] of crdFiles()) expect(readFileSync(join(FOLDER, name), "utf8"), name).toBe(text);
});
