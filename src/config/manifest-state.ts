/**
 * The configuration that files hold, over time. A file that is wrong keeps its last good state, so that one slip takes
 * nothing down; the other files go on. A file that was never good contributes those of its objects that are.
 */
import { resolve, sep } from "node:path";
import type { Intent } from "../intent/intent.ts";
import type { Problem } from "../intent/problem.ts";
import { IntentComposer, type SourcedManifest } from "../manifests/compose-intent.ts";
import type { SourceFile, SourceScan } from "./manifest-source.ts";
import { readManifestText } from "./manifest-text.ts";

export interface LoadedManifests {
  readonly intent: Intent;
  readonly problems: readonly Problem[];
  /** What the Intent was joined from. */
  readonly sources: readonly SourcedManifest[];
  /** The files that were found, in order. */
  readonly files: readonly string[];
}

interface FileState {
  readonly path: string;
  readonly text: string | null;
  readonly fault: string | null;
  readonly manifests: readonly SourcedManifest[];
  /** What is used has no errors. */
  readonly isGood: boolean;
  readonly problems: readonly Problem[];
}

export class ManifestState {
  readonly #composer = new IntentComposer();
  #files: readonly FileState[] = [];
  #missing: readonly Problem[] = [];

  /** Takes in what was found; false when it is what was known. */
  update(scan: SourceScan): boolean {
    const known = new Map(this.#files.map((file) => [file.path, file]));
    // A path that was given and is gone is a fault, not a wish to have nothing: its files stay, before all others.
    const kept = this.#files.filter(({ path }) => scan.missing.some((missing) => isAtOrBelow(path, missing.path)));
    const files = [...kept, ...scan.files.map((source) => nextState(source, known.get(source.path)))];
    const missing = scan.missing.map(({ path, fault }) => {
      const isKept = kept.some((file) => isAtOrBelow(file.path, path));
      return fileProblem(path, isKept ? `${fault}; its last good state stays in use` : fault);
    });
    const changed =
      files.length !== this.#files.length ||
      files.some((file, index) => file !== this.#files[index]) ||
      JSON.stringify(missing) !== JSON.stringify(this.#missing);
    this.#files = files;
    this.#missing = missing;
    return changed;
  }

  current(): LoadedManifests {
    const sources = this.#files.flatMap(({ manifests }) => manifests);
    const { intent, problems } = this.#composer.compose(sources);
    return {
      ...{ intent, sources },
      problems: [...this.#missing, ...this.#files.flatMap((file) => file.problems), ...problems],
      files: this.#files.map(({ path }) => path),
    };
  }
}

function nextState(source: SourceFile, previous: FileState | undefined): FileState {
  if (previous !== undefined && previous.text === source.text && previous.fault === source.fault) return previous;
  const { manifests, problems } =
    source.text === null
      ? { manifests: [], problems: [fileProblem(source.path, source.fault!)] }
      : readManifestText(source.text, source.path === "-" ? "standard input" : source.path);
  const isGood = problems.every(({ severity }) => severity !== "error");
  if (isGood || !previous?.isGood) return { ...source, manifests, isGood, problems };
  const kept = fileProblem(source.path, "has errors, so its last good state stays in use");
  return {
    ...source,
    manifests: previous.manifests,
    isGood: true,
    problems: [...problems, { ...kept, severity: "warning" }],
  };
}

function fileProblem(path: string, message: string): Problem {
  return { severity: "error", object: "", field: "", message, where: path };
}

function isAtOrBelow(path: string, ancestor: string): boolean {
  return resolve(path) === resolve(ancestor) || resolve(path).startsWith(resolve(ancestor) + sep);
}
