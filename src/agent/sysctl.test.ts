import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSysctl, writeSysctl } from "./sysctl.ts";

const SWITCH = "net/ipv4/conf/sl0/rp_filter";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-sysctl-"));
  for (const root of ["own", "host"]) mkdirSync(join(folder, root, "net/ipv4/conf/sl0"), { recursive: true });
  writeFileSync(join(folder, "own", SWITCH), "1\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a switch is read, and one that the kernel does not have is null", () => {
  expect(readSysctl(SWITCH, [join(folder, "own")])).toBe("1");
  expect(readSysctl("net/ipv6/none", [join(folder, "own")])).toBeNull();
});

test("a switch is set where that is allowed: by its own file, else by the one of the node beside it", () => {
  writeSysctl(SWITCH, "2", [join(folder, "own"), join(folder, "host")]);
  expect(readFileSync(join(folder, "own", SWITCH), "utf8")).toContain("2");
  writeFileSync(join(folder, "host", SWITCH), "0\n");
  writeSysctl(SWITCH, "2", [join(folder, "not mounted"), join(folder, "host")]);
  expect(readFileSync(join(folder, "host", SWITCH), "utf8")).toContain("2");
});

test("a switch that can't be set says how to set it, names with dots as sysctl spells them", () => {
  const set = () => writeSysctl("net/ipv4/conf/eth0.100/rp_filter", "2", [join(folder, "no"), join(folder, "nor")]);
  expect(set).toThrow(/sysctl -w net\.ipv4\.conf\.eth0\/100\.rp_filter=2/);
});

test("a switch that is as wanted is left alone, though nothing may be written", () => {
  writeFileSync(join(folder, "own", SWITCH), "2\n");
  expect(() => writeSysctl(SWITCH, "2", [join(folder, "own"), join(folder, "no")])).not.toThrow();
});
