/** Finds and reads the files that paths given by people stand for. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileFault } from "./file-fault.ts";

/** The name under which standard input is given. */
export const STANDARD_INPUT = "-";

const EXTENSIONS = [".yaml", ".yml", ".json"];

export interface SourceFile {
  readonly path: string;
  /** `null` when it could not be read. */
  readonly text: string | null;
  /** Why not. */
  readonly fault: string | null;
}

export interface SourceScan {
  /** In the order in which later ones win: the order of the paths, by name within a directory. */
  readonly files: readonly SourceFile[];
  /** Paths that were given and cannot be listed at all. */
  readonly missing: readonly { readonly path: string; readonly fault: string }[];
}

export async function scanSources(paths: readonly string[]): Promise<SourceScan> {
  const files: SourceFile[] = [];
  const missing: { path: string; fault: string }[] = [];
  for (const path of paths) {
    if (path === STANDARD_INPUT) {
      files.push({ path: STANDARD_INPUT, text: await text(process.stdin), fault: null });
      continue;
    }
    try {
      const isDirectory = (await stat(path)).isDirectory();
      for (const file of isDirectory ? await manifestsIn(path) : [path]) files.push(await readSource(file));
    } catch (error) {
      missing.push({ path, fault: fileFault(error) });
    }
  }
  return { files, missing };
}

/** Not its subdirectories, as kubectl does; hidden names are how a mounted ConfigMap keeps its versions. */
async function manifestsIn(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names
    .filter((name) => !name.startsWith(".") && EXTENSIONS.some((extension) => name.endsWith(extension)))
    .sort()
    .map((name) => join(directory, name));
}

async function readSource(path: string): Promise<SourceFile> {
  try {
    return { path, text: await readFile(path, "utf8"), fault: null };
  } catch (error) {
    return { path, text: null, fault: fileFault(error) };
  }
}
