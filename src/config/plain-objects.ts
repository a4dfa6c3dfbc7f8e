/** Reads manifests as the plain objects that they are, for those who rewrite them rather than carry them out. */
import { parse, parseAllDocuments } from "yaml";
import type { PlainObject } from "../manifests/migration.ts";
import { scanSources } from "./manifest-source.ts";

/** Fails for what cannot be read, with the name of the file. */
export async function loadPlainObjects(paths: readonly string[]): Promise<readonly PlainObject[]> {
  const { files, missing } = await scanSources(paths);
  const fault = missing[0] ?? files.find((file) => file.fault !== null);
  if (fault !== undefined) throw new Error(`${fault.path}: ${fault.fault}`);
  return files.flatMap(({ path, text }) => {
    const documents = parseAllDocuments(text!);
    return ("empty" in documents ? [] : documents).flatMap((document) => {
      const error = document.errors[0];
      if (error !== undefined) throw new Error(`${path}: is not valid YAML: ${error.message}`);
      return objectsIn(document.toJS(), path);
    });
  });
}

/** The text of a field that is itself YAML. */
export function parseYaml(text: string): unknown {
  return parse(text);
}

function objectsIn(value: unknown, path: string): PlainObject[] {
  if (value === null) return [];
  const { apiVersion, kind, metadata, items } = value as Partial<PlainObject> & { readonly items?: readonly unknown[] };
  if (kind?.endsWith("List") && Array.isArray(items)) return items.flatMap((item) => objectsIn(item, path));
  if (typeof apiVersion !== "string" || typeof kind !== "string" || typeof metadata?.name !== "string") {
    throw new Error(`${path}: holds something that is no Kubernetes object with apiVersion, kind and metadata.name`);
  }
  return [value as PlainObject];
}
