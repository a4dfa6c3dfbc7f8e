/**
 * The image without an engine: what its first stage runs, on a copy of the tree as the engine gets it, builds everything from
 * the packages up; what that lays out starts by itself, with nothing else beside.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const DOCKERFILE = readFileSync(join(ROOT, "deploy/Dockerfile"), "utf8");

const IGNORED = readFileSync(join(ROOT, "deploy/Dockerfile.dockerignore"), "utf8").split("\n").filter(Boolean);

let source: string;
let image: string;

beforeAll(() => {
  source = mkdtempSync(join(tmpdir(), "sluice-source-"));
  image = mkdtempSync(join(tmpdir(), "sluice-image-"));
});
afterAll(() => {
  for (const folder of [source, image]) rmSync(folder, { recursive: true, force: true });
});

test("the commands of its first stage build it from nothing but the tree", { timeout: 600_000, retry: 0 }, () => {
  cpSync(ROOT, source, { recursive: true, filter: (path) => !IGNORED.includes(relative(ROOT, path)) });
  const [, commands] = /^RUN (deploy\/image-build\.sh .*)$/m.exec(DOCKERFILE)!;
  const here = commands!.replace(" /src ", ` ${source} `).replace(/ \/image$/, ` ${image}`);
  const { status, stderr } = spawnSync("sh", ["-euc", here], { cwd: source, encoding: "utf8", timeout: 580_000 });
  expect({ status, stderr: status === 0 ? "" : stderr.slice(-3000) }).toEqual({ status: 0, stderr: "" });
});

test("the Dockerfile runs scripts that are there, and starts what they lay out", () => {
  for (const [script] of DOCKERFILE.matchAll(/deploy\/image-[a-z]+\.sh/g))
    expect(existsSync(join(ROOT, script))).toBe(true);
  expect(DOCKERFILE).toContain('ENTRYPOINT ["/usr/local/bin/sluice"]');
});

test("the program runs from the image's folder with the image's own runtime", () => {
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
