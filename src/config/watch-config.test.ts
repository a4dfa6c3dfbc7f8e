import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { formatProblem } from "../intent/problem.ts";
import type { LoadedManifests } from "./manifest-state.ts";
import { type ConfigWatch, watchConfig } from "./watch-config.ts";

const pool = (name: string, cidr: string) =>
  `apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: ${name}}\nspec: {blocks: [{cidr: ${cidr}}]}\n`;

const blocks = (loaded: LoadedManifests) => loaded.intent.pools.flatMap(({ blocks }) => blocks.map(({ text }) => text));

describe("watched manifests", () => {
  let directory: string;
  let watching: ConfigWatch | undefined;
  let changes: LoadedManifests[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "sluice-config-"));
    changes = [];
  });

  afterEach(async () => {
    watching?.close();
    watching = undefined;
    await rm(directory, { recursive: true, force: true });
  });

  const at = (name: string) => join(directory, name);
  const start = async (...paths: string[]) => {
    watching = await watchConfig(paths, (loaded) => changes.push(loaded));
    return watching;
  };
  const becomes = (expected: readonly string[]) =>
    vi.waitFor(() => expect(blocks(watching!.current)).toEqual(expected), { timeout: 5000, interval: 20 });

  test("take effect when a file is edited, replaced, added and removed", async () => {
    await writeFile(at("a.yaml"), pool("a", "10.0.0.0/24"));
    await start(directory);
    expect(blocks(watching!.current)).toEqual(["10.0.0.0/24"]);

    await writeFile(at("a.yaml"), pool("a", "10.0.1.0/24"));
    await becomes(["10.0.1.0/24"]);

    await writeFile(at("a.yaml.tmp"), pool("a", "10.0.2.0/24"));
    await rename(at("a.yaml.tmp"), at("a.yaml"));
    await becomes(["10.0.2.0/24"]);

    await writeFile(at("b.yml"), pool("b", "10.1.0.0/24"));
    await becomes(["10.0.2.0/24", "10.1.0.0/24"]);

    await rm(at("a.yaml"));
    await becomes(["10.1.0.0/24"]);
    expect(changes.length).toBeGreaterThanOrEqual(4);
  });

  test("take effect when a mounted ConfigMap swaps its symbolic link", async () => {
    await mkdir(at("..v1"));
    await mkdir(at("..v2"));
    await writeFile(at("..v1/a.yaml"), pool("a", "10.0.0.0/24"));
    await writeFile(at("..v2/a.yaml"), pool("a", "10.0.1.0/24"));
    await symlink("..v1", at("..data"));
    await symlink("..data/a.yaml", at("a.yaml"));
    await start(directory);
    expect(blocks(watching!.current)).toEqual(["10.0.0.0/24"]);

    await symlink("..v2", at("..data_tmp"));
    await rename(at("..data_tmp"), at("..data"));
    await becomes(["10.0.1.0/24"]);
  });

  test("take effect when the path is one file, behind a symbolic link elsewhere", async () => {
    await mkdir(at("real"));
    await writeFile(at("real/a.yaml"), pool("a", "10.0.0.0/24"));
    await symlink("real/a.yaml", at("link.yaml"));
    await start(at("link.yaml"));
    await writeFile(at("real/a.yaml"), pool("a", "10.0.1.0/24"));
    await becomes(["10.0.1.0/24"]);
  });

  test("keep the last good state of a file that becomes wrong, and follow the others", async () => {
    await writeFile(at("a.yaml"), pool("a", "10.0.0.0/24"));
    await writeFile(at("b.yaml"), pool("b", "10.1.0.0/24"));
    await start(directory);

    await writeFile(at("a.yaml"), pool("a", "10.0.0.0/99"));
    await vi.waitFor(() => expect(watching!.current.problems).not.toEqual([]), { timeout: 5000 });
    expect(watching!.current.problems.map(formatProblem)).toEqual([
      `${at("a.yaml")}:4: CiliumLoadBalancerIPPool/a spec.blocks[0].cidr: must be a CIDR such as 192.0.2.0/24; is "10.0.0.0/99"`,
      `${at("a.yaml")}: has errors, so its last good state stays in use`,
    ]);
    await writeFile(at("b.yaml"), pool("b", "10.1.1.0/24"));
    await becomes(["10.0.0.0/24", "10.1.1.0/24"]);

    await writeFile(at("a.yaml"), pool("a", "10.0.2.0/24"));
    await becomes(["10.0.2.0/24", "10.1.1.0/24"]);
    expect(watching!.current.problems).toEqual([]);
  });

  test("stay when the whole directory is gone, and come back with it", async () => {
    await mkdir(at("conf"));
    await writeFile(at("conf/a.yaml"), pool("a", "10.0.0.0/24"));
    await start(at("conf"));
    await rename(at("conf"), at("away"));
    await vi.waitFor(() => expect(watching!.current.problems).toHaveLength(1), { timeout: 5000 });
    expect(formatProblem(watching!.current.problems[0]!)).toBe(
      `${at("conf")}: does not exist; its last good state stays in use`,
    );
    expect(blocks(watching!.current)).toEqual(["10.0.0.0/24"]);

    await writeFile(at("away/a.yaml"), pool("a", "10.0.1.0/24"));
    await rename(at("away"), at("conf"));
    await becomes(["10.0.1.0/24"]);
    await writeFile(at("conf/a.yaml"), pool("a", "10.0.2.0/24"));
    await becomes(["10.0.2.0/24"]);
  });

  test("are reported once for a burst of writes, and not at all for a write that changes nothing", async () => {
    await writeFile(at("a.yaml"), pool("a", "10.0.0.0/24"));
    await start(directory);
    for (let last = 1; last <= 10; last++) writeFileSync(at("a.yaml"), pool("a", `10.0.${last}.0/24`));
    await becomes(["10.0.10.0/24"]);
    expect(changes).toHaveLength(1);

    await writeFile(at("a.yaml"), pool("a", "10.0.10.0/24"));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(changes).toHaveLength(1);
  });

  test("are followed no more once closed", async () => {
    await writeFile(at("a.yaml"), pool("a", "10.0.0.0/24"));
    const closed = await start(directory);
    closed.close();
    await writeFile(at("a.yaml"), pool("a", "10.0.1.0/24"));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(changes).toEqual([]);
  });
});
