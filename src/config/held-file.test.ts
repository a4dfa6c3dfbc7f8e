import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { intentOf, ipPool, lbService } from "../../test/fixtures/kubernetes-objects.ts";
import { withHeldAddresses } from "../control/held-addresses.ts";
import { plan } from "../control/plan.ts";
import { HeldFile } from "./held-file.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-held-"));
  path = join(folder, "deep", "held.json");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a restart gives each Service what it had, whoever has left meanwhile", () => {
  const pool = ipPool("pool", ["10.9.0.0/24"]);
  new HeldFile(path).write(plan(intentOf(pool, lbService("a"), lbService("b"))).services);
  const after = plan(withHeldAddresses(intentOf(pool, lbService("b")), new HeldFile(path).read()));
  expect(after.services["default/b"]!.ingress).toEqual(["10.9.0.1"]);
});

test("nothing is held before the first time, and nothing is written that is there", () => {
  const file = new HeldFile(path);
  expect(file.read()).toEqual({});
  file.write({ a: { ingress: ["10.0.0.1"], pool: null } });
  const before = statSync(path).ino;
  file.write({ a: { ingress: ["10.0.0.1"], pool: null }, b: { ingress: [], pool: null } });
  expect(statSync(path).ino).toBe(before);
  expect(readFileSync(path, "utf8")).not.toContain('"b"');
});

test("a file that holds something else is not taken for an empty one", () => {
  const file = new HeldFile(path);
  writeFileSync(path, "{}");
  expect(() => file.read()).toThrow(`${path}: does not hold the addresses of Services; delete it to give them anew`);
});
