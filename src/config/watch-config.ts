/**
 * Follows manifests while the program runs: edits in place, atomic renames, the symbolic links of a mounted ConfigMap,
 * new files and removed ones.
 *
 * It is directories that are watched, because a file that is replaced takes its watch with it.
 */
import { type FSWatcher, watch } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { STANDARD_INPUT, scanSources } from "./manifest-source.ts";
import { type LoadedManifests, ManifestState } from "./manifest-state.ts";

export interface ConfigWatch {
  readonly current: LoadedManifests;
  close(): void;
}

/** Writers need several steps; this long nothing must happen before the files are read. */
const QUIET_MILLISECONDS = 100;
/** Under constant writing they are read after this long all the same. */
const PATIENCE_MILLISECONDS = 1000;
/** Where the kernel gives no watch (its limit is reached, a network file system), files are compared at this pace. */
const POLL_MILLISECONDS = 1000;

/** Reads the paths, then calls `onChange` after each change; what it was before the first call is in `current`. */
export async function watchConfig(
  paths: readonly string[],
  onChange: (loaded: LoadedManifests) => void,
): Promise<ConfigWatch> {
  const watcher = new ConfigWatcher(
    paths.filter((path) => path !== STANDARD_INPUT),
    onChange,
  );
  await watcher.start(paths);
  return watcher;
}

class ConfigWatcher implements ConfigWatch {
  readonly #paths: readonly string[];
  readonly #onChange: (loaded: LoadedManifests) => void;
  readonly #state = new ManifestState();
  readonly #watches = new Map<string, FSWatcher>();
  #current: LoadedManifests = this.#state.current();
  #quietTimer: NodeJS.Timeout | undefined;
  #pollTimer: NodeJS.Timeout | undefined;
  #firstEventMilliseconds: number | null = null;
  #reading: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(paths: readonly string[], onChange: (loaded: LoadedManifests) => void) {
    this.#paths = paths;
    this.#onChange = onChange;
  }

  get current(): LoadedManifests {
    return this.#current;
  }

  async start(paths: readonly string[]): Promise<void> {
    // Watches come before the first look, so that nothing is missed between the two.
    await this.#watchDirectories();
    this.#state.update(await scanSources(paths));
    this.#current = this.#state.current();
    await this.#watchDirectories();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#quietTimer);
    clearInterval(this.#pollTimer);
    for (const watcher of this.#watches.values()) watcher.close();
    this.#watches.clear();
  }

  #touched(): void {
    if (this.#closed) return;
    const now = performance.now();
    this.#firstEventMilliseconds ??= now;
    const patience = this.#firstEventMilliseconds + PATIENCE_MILLISECONDS - now;
    clearTimeout(this.#quietTimer);
    this.#quietTimer = setTimeout(
      () => {
        this.#firstEventMilliseconds = null;
        // One after the other: an older scan must not overwrite a newer one.
        this.#reading = this.#reading.then(() => this.#look());
      },
      Math.max(0, Math.min(QUIET_MILLISECONDS, patience)),
    );
  }

  async #look(): Promise<void> {
    if (this.#closed) return;
    await this.#watchDirectories();
    const changed = this.#state.update(await scanSources(this.#paths));
    if (!changed || this.#closed) return;
    this.#current = this.#state.current();
    this.#onChange(this.#current);
  }

  /** The directory of each path, the directory that it is, and wherever symbolic links lead from there. */
  async #watchDirectories(): Promise<void> {
    const wanted = new Set<string>();
    for (const path of [...this.#paths, ...this.#current.files]) {
      wanted.add(dirname(path));
      wanted.add(path);
      const real = await realpath(path).catch(() => path);
      wanted.add(dirname(real));
      wanted.add(real);
    }
    for (const [path, watcher] of this.#watches) {
      if (wanted.has(path)) continue;
      watcher.close();
      this.#watches.delete(path);
    }
    for (const path of wanted) if (!this.#watches.has(path)) this.#watch(path);
  }

  #watch(path: string): void {
    if (this.#closed || path === STANDARD_INPUT) return;
    try {
      const watcher = watch(path, { persistent: true }, () => this.#touched());
      watcher.on("error", () => this.#forget(path));
      this.#watches.set(path, watcher);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ENOTDIR") this.#poll();
    }
  }

  #forget(path: string): void {
    this.#watches.get(path)?.close();
    this.#watches.delete(path);
    this.#touched();
  }

  #poll(): void {
    this.#pollTimer ??= setInterval(() => this.#touched(), POLL_MILLISECONDS);
  }
}
