import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lbService } from "../../test/fixtures/kubernetes-objects.ts";
import { loadManifests } from "../config/load-manifests.ts";
import { type Plan, plan } from "../control/plan.ts";
import { MIGRATIONS, runMigrate } from "./migrate.ts";

const DATA = join(import.meta.dirname, "../../test/data/migrate");

/** Everything that is announced, whatever the sessions are called. */
function announced({ nodes }: Plan): string[] {
  return Object.entries(nodes).flatMap(([node, { bgp }]) =>
    bgp.flatMap(({ peers, localASN, routerID, listen }) =>
      peers.map(({ name: _name, ...peer }) => JSON.stringify({ node, localASN, routerID, listen, ...peer })),
    ),
  );
}

test.each(MIGRATIONS)("%s becomes what is written beside it", async (from) => {
  const expected = readFileSync(join(DATA, `${from}.expected.yaml`), "utf8");
  expect(await runMigrate(from, [join(DATA, `${from}.yaml`)])).toBe(expected);
});

test.each(MIGRATIONS)("what %s becomes is valid", async (from) => {
  const { problems } = await loadManifests([join(DATA, `${from}.expected.yaml`)]);
  expect(problems.filter(({ severity }) => severity === "error" && severity.length > 0)).toEqual(
    // A Service in part, to be merged into the one that is there.
    from === "metallb" ? [expect.objectContaining({ object: "Service/shop/web" })] : [],
  );
});

test("sessions and routes are the same after a migration from Cilium's first generation", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-migrate-"));
  try {
    const more = join(folder, "more.json");
    const service = lbService("web", { labels: { "advertise-bgp": "true" }, spec: { externalIPs: ["192.0.2.7"] } });
    await writeFile(more, JSON.stringify(service));
    const node = join(folder, "node.yaml");
    const old = join(DATA, "cilium-v1.yaml");
    await writeFile(node, readFileSync(old, "utf8").split("---\n").at(-1)!);
    const before = plan((await loadManifests([old, more])).intent);
    const migrated = [join(DATA, "cilium-v1.expected.yaml"), more, node];
    const after = plan((await loadManifests(migrated)).intent);
    expect(announced(before).length).toBeGreaterThan(0);
    expect(announced(after)).toEqual(announced(before));
    expect(after.services).toEqual(before.services);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a file that cannot be read is named", async () => {
  await expect(runMigrate("metallb", ["/nowhere.yaml"])).rejects.toThrow("/nowhere.yaml: does not exist");
});
