/** The image's second stage, run as the Dockerfile runs it: what it lays out starts by itself, with nothing else beside. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const DOCKERFILE = readFileSync(join(ROOT, "deploy/Dockerfile"), "utf8");

let image: string;

beforeAll(() => {
  image = mkdtempSync(join(tmpdir(), "sluice-image-"));
});
afterAll(() => rmSync(image, { recursive: true, force: true }));

test("the Dockerfile runs scripts that are there, and starts what they lay out", () => {
  for (const [script] of DOCKERFILE.matchAll(/deploy\/image-[a-z]+\.sh/g))
    expect(existsSync(join(ROOT, script))).toBe(true);
  expect(DOCKERFILE).toContain('ENTRYPOINT ["/usr/local/bin/sluice"]');
});

test("the program runs from the image's folder with the image's own runtime", () => {
  execFileSync(join(ROOT, "deploy/image-layout.sh"), [ROOT, image]);
  const { status, stdout, stderr } = spawnSync(join(image, "opt/sluice/bin/sluice"), ["--help"], {
    encoding: "utf8",
    env: { PATH: "/usr/bin:/bin" },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain("explain");
  const crds = execFileSync(join(image, "opt/sluice/bin/sluice"), ["crds", "print"], { encoding: "utf8" });
  expect(crds).toContain("CustomResourceDefinition");
}, 60_000);

test("nothing that only building needs is in it", () => {
  for (const absent of ["node_modules/typescript", "node_modules/vitest", "src", "native", "test"])
    expect(existsSync(join(image, "opt/sluice", absent)), absent).toBe(false);
});
