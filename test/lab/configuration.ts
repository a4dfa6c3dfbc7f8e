/** A folder of manifests that a running gateway reads: copied from the test data, then edited as an operator would. */
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "./lab.ts";

const MANIFESTS = join(import.meta.dirname, "..", "data", "manifests");

export class Configuration {
  readonly folder: string;

  /** `source` names a folder of the project's test manifests: `"seed-a"`. */
  constructor(lab: Lab, source: string) {
    this.folder = join(lab.folder, `configuration-${source}`);
    cpSync(join(MANIFESTS, source), this.folder, { recursive: true });
  }

  /** Writes a file in one step, as editors and Kubernetes' ConfigMap mounts do: readers see the old or the new. */
  write(file: string, text: string): void {
    const hidden = join(this.folder, `.${file}.new`);
    writeFileSync(hidden, text);
    renameSync(hidden, join(this.folder, file));
  }

  remove(file: string): void {
    rmSync(join(this.folder, file));
  }

  /** Replaces text in the one file that holds it; throws when none or several do. */
  edit(before: string | RegExp, after: string): void {
    const files = readdirSync(this.folder).filter((file) => !file.startsWith("."));
    const texts = files.map((file) => ({ file, text: readFileSync(join(this.folder, file), "utf8") }));
    const holding = texts.filter(({ text }) => text.search(before) >= 0);
    if (holding.length !== 1) throw new Error(`${holding.length} files hold ${before}, not one`);
    this.write(holding[0]!.file, holding[0]!.text.replace(before, after));
  }

  /** The switch of the seed: `enable-bgp-control-plane` in ConfigMap kube-system/cilium-config. */
  setBgp(enabled: boolean): void {
    this.edit(/enable-bgp-control-plane: "\w+"/, `enable-bgp-control-plane: "${enabled}"`);
  }
}

/** Cilium's switches for the whole cluster, as a manifest. */
export function ciliumConfig(switches: Readonly<Record<string, string>>): string {
  const data = Object.entries(switches).map(([key, value]) => `  ${key}: "${value}"\n`);
  const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\ndata:\n";
  return head + data.join("");
}
