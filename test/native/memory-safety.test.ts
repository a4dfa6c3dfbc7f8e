/**
 * The addon under AddressSanitizer: any access outside of what it owns, or to what it freed, ends the run. Leaks are not
 * looked for: Node itself leaves much to the end of the process.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { moveIntoOwnNamespace, vethPair } from "./own-namespace.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

moveIntoOwnNamespace();
vethPair("ma0", "mb0");

beforeAll(() => {
  execFileSync("scripts/build-native.sh", ["--asan"], { cwd: ROOT, stdio: "pipe" });
}, 180_000);

function underSanitizer(...args: string[]) {
  const library = execFileSync("gcc", ["-print-file-name=libasan.so"], { encoding: "utf8" }).trim();
  const libraryCpp = execFileSync("gcc", ["-print-file-name=libstdc++.so"], { encoding: "utf8" }).trim();
  return spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: "utf8",
    env: {
      ...process.env,
      // libstdc++ with it: the sanitizer looks for the function that throws exceptions when it starts.
      LD_PRELOAD: `${library} ${libraryCpp}`,
      SLUICE_NATIVE: `${ROOT}build/asan/sluice.node`,
      ASAN_OPTIONS: "detect_leaks=0:abort_on_error=0:exitcode=99:alloc_dealloc_mismatch=0",
    },
    timeout: 120_000,
  });
}

test("everything that touches memory runs without one invalid access", () => {
  const result = underSanitizer("test/native/asan-script.ts", "ma0", "mb0");
  expect(result.stderr).toBe("");
  expect(result).toMatchObject({ status: 0, stdout: "done\n" });
}, 150_000);

test("one invalid access would be seen", () => {
  const addon = JSON.stringify(`${ROOT}build/asan/sluice.node`);
  const result = underSanitizer("-e", `require(${addon}).readBeyond()`);
  expect(result.status).toBe(99);
  expect(result.stderr).toContain("AddressSanitizer: heap-buffer-overflow");
}, 60_000);
