/**
 * Copies of policy modules under names made of their content: every worker, also one that starts later, runs the very
 * bytes that were tried, and a changed module is a new file that no loader has cached.
 *
 * A module is one file (.ts, .js, .mjs), or a package folder, which is copied whole. TypeScript in one file is stripped of
 * its types here, once, rather than in every worker.
 */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { basename, extname, join, relative } from "node:path";

const SUFFIXES = [".ts", ".mts", ".js", ".mjs"];
const MAX_FILES = 2000;
const MAX_BYTES = 32 * 1024 * 1024;

export interface StoredModule {
  /** What to load. */
  readonly path: string;
  readonly digest: string;
}

export class ModuleStore {
  readonly #folder: string;

  /** @param folder for the copies; made when it isn't there. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws Error with a sentence when there is no such module, or when it is too large or not stripped of types. */
  store(source: string): StoredModule {
    if (!existsSync(source)) throw new Error(`there is no ${source}`);
    return statSync(source).isDirectory() ? this.#storeFolder(source) : this.#storeFile(source);
  }

  /** Removes the copies of all other modules. */
  keepOnly(digests: ReadonlySet<string>): void {
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder)) {
      if (!digests.has(name)) rmSync(join(this.#folder, name), { recursive: true, force: true });
    }
  }

  #storeFile(source: string): StoredModule {
    return this.storeText(source, readFileSync(source, "utf8"));
  }

  /** A module of one file that is no file. @param source says where it is from; it ends as a file's name does. */
  storeText(source: string, text: string): StoredModule {
    const suffix = extname(source);
    if (!SUFFIXES.includes(suffix))
      throw new Error(`${source} is no module: its name must end in ${SUFFIXES.join(", ")}`);
    const digest = digestOf([[basename(source), text]]);
    const path = join(this.#folder, digest, `${basename(source, suffix)}.mjs`);
    if (!existsSync(path)) {
      const code = suffix.endsWith("ts") ? stripTypeScriptTypes(text) : text;
      this.#publish(digest, (folder) => writeFileSync(join(folder, basename(path)), code));
    }
    return { path, digest };
  }

  #storeFolder(source: string): StoredModule {
    const files = filesIn(source);
    const digest = digestOf(files.map((file) => [relative(source, file), readFileSync(file)]));
    const path = join(this.#folder, digest, basename(source));
    if (!existsSync(path)) {
      this.#publish(digest, (folder) =>
        cpSync(source, join(folder, basename(source)), { recursive: true, dereference: true }),
      );
    }
    return { path, digest };
  }

  /** Whole or not at all: two processes may store the same one. */
  #publish(digest: string, fill: (folder: string) => void): void {
    const temporary = join(this.#folder, `.${digest}.${process.pid}`);
    mkdirSync(temporary, { recursive: true, mode: 0o700 });
    fill(temporary);
    try {
      renameSync(temporary, join(this.#folder, digest));
    } catch {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
}

function filesIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  if (files.length > MAX_FILES || bytes > MAX_BYTES) {
    throw new Error(
      `${folder} has ${files.length} files of ${bytes} bytes; a module has at most ${MAX_FILES} and ${MAX_BYTES}`,
    );
  }
  return files;
}

export function digestOf(parts: readonly (readonly [name: string, content: string | Buffer])[]): string {
  const hash = createHash("sha256");
  for (const [name, content] of parts) hash.update(`${name}\0${content.length}\0`).update(content);
  return hash.digest("hex").slice(0, 20);
}
