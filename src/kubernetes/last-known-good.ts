/**
 * The last state of the cluster on disk, so that a restart comes up without an API server. It holds what was watched,
 * keys of BGP sessions among it, so only its owner may read it.
 */
import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { StoredObject, WatchedKind } from "./object-watch.ts";

export interface SavedCluster {
  readonly version: 1;
  readonly savedAt: string;
  readonly server: string;
  readonly kinds: readonly { readonly kind: WatchedKind; readonly objects: readonly StoredObject[] }[];
}

/** Not more often than this, since a large cluster is many megabytes. */
const PAUSE_MILLISECONDS = 5_000;
const OBJECTS_AT_ONCE = 100;

/** `null` when there is none that can be read. */
export function readSavedCluster(path: string): SavedCluster | null {
  try {
    const saved = JSON.parse(readFileSync(path, "utf8")) as SavedCluster;
    return saved.version === 1 ? saved : null;
  } catch {
    return null;
  }
}

/**
 * As JSON, some objects at a time: those of a large cluster at once would hold up everything else for half a second. Between
 * the pieces other work goes on, which does not change what is written.
 */
async function* savedText({ kinds, ...head }: SavedCluster): AsyncGenerator<string> {
  yield `${JSON.stringify(head).slice(0, -1)},"kinds":[`;
  for (const [index, { kind, objects }] of kinds.entries()) {
    yield `${index === 0 ? "" : ","}{"kind":${JSON.stringify(kind)},"objects":[`;
    for (let from = 0; from < objects.length; from += OBJECTS_AT_ONCE) {
      await new Promise((resolve) => setImmediate(resolve));
      const some = objects.slice(from, from + OBJECTS_AT_ONCE).map((object) => JSON.stringify(object));
      yield `${from === 0 ? "" : ","}${some.join()}`;
    }
    yield "]}";
  }
  yield "]}";
}

export class LastKnownGood {
  readonly #path: string;
  readonly #content: () => SavedCluster;
  #timer: NodeJS.Timeout | null = null;
  #savedAt = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, content: () => SavedCluster) {
    this.#path = path;
    this.#content = content;
    mkdirSync(dirname(path), { recursive: true });
  }

  /** The state changed: it is written soon, with whatever changes until then. */
  touch(): void {
    if (this.#timer !== null) return;
    const wait = Math.max(200, this.#savedAt + PAUSE_MILLISECONDS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#savedAt = performance.now();
      this.#writing = this.#writing.then(() => this.#save()).catch(() => undefined);
    }, wait);
  }

  async close(): Promise<void> {
    const isPending = this.#timer !== null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#writing;
    if (isPending) await this.#save();
  }

  /** Beside its place and then into it, so that a power cut leaves the old or the new one, never half of one. */
  async #save(): Promise<void> {
    const beside = `${this.#path}.new`;
    await writeFile(beside, savedText(this.#content()), { mode: 0o600 });
    renameSync(beside, this.#path);
  }
}
