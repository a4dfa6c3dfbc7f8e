/**
 * `sluice migrate`: prints the newer objects that say what older ones said; what can't be said is a comment at the top.
 * Reads files (`kubectl get ... -o yaml` among them) and changes nothing.
 */
import { stringify } from "yaml";
import { loadPlainObjects, parseYaml } from "../config/plain-objects.ts";
import { migrateCiliumV1 } from "../manifests/migrate-cilium-v1.ts";
import { migrateMetalLb } from "../manifests/migrate-metallb.ts";

export const MIGRATIONS = ["cilium-v1", "metallb"] as const;
export type MigrationName = (typeof MIGRATIONS)[number];

export async function runMigrate(from: MigrationName, paths: readonly string[]): Promise<string> {
  const given = await loadPlainObjects(paths);
  const { objects, notes } = from === "cilium-v1" ? migrateCiliumV1(given) : migrateMetalLb(given, parseYaml);
  const comments = notes.map((note) => `# ${note}\n`).join("");
  if (objects.length === 0) return `${comments}# nothing here is of ${from}\n`;
  const texts = objects.map((object) =>
    stringify(object, { aliasDuplicateObjects: false, lineWidth: 0, version: "1.1" }),
  );
  return `${comments}${texts.join("---\n")}`;
}
