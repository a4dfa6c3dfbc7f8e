/**
 * The twin of the `xdp` benchmark puts a table of its own in place of some of the product's files, so a change of those may
 * leave it behind: both objects are compiled and loaded, and forward the same frame.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { compile } from "../../bench/xdp/compile.ts";
import { BENCH_FRAME, loadLru, loadOurs } from "../../bench/xdp/tables.ts";

const FLOWS = 1000;
const XDP_REDIRECT = 4;
const XDP_DROP = 1;

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  { name: "ours", load: loadOurs },
  { name: "lru", load: loadLru },
] as const)(
  "the benchmark's object $name forwards frames of its flows and drops others",
  ({ name, load }) => {
    const object = load(compile(name, folder), FLOWS);
    const run = (program: string) =>
      object.program(program).testRun(BENCH_FRAME, { repeat: 4 * FLOWS, ingress: { interfaceIndex: 1, queue: 0 } });
    expect(run("hit").returnValue).toBe(XDP_REDIRECT);
    expect(run("miss").returnValue).toBe(XDP_DROP);
    object.close();
  },
  60_000,
);
