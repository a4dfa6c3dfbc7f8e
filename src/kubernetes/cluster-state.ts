/**
 * What the API server said, over time: every object as it was last good, joined to an Intent. An object that has become
 * invalid keeps its last good state, and a Secret that is gone keeps its key, so that one slip takes nothing down.
 */
import type { Intent } from "../intent/intent.ts";
import type { Problem } from "../intent/problem.ts";
import { sameValue } from "../intent/same-value.ts";
import { IntentComposer, type SourcedManifest } from "../manifests/compose-intent.ts";
import { formatPath } from "../manifests/finding.ts";
import { knownKind } from "../manifests/known-kinds.ts";
import { pruned } from "../manifests/pruned-object.ts";
import { readObject } from "../manifests/read-object.ts";
import type { StoredObject, WatchedKind } from "./object-watch.ts";

export interface LoadedCluster {
  readonly intent: Intent;
  readonly problems: readonly Problem[];
  /** What the Intent was joined from. */
  readonly sources: readonly SourcedManifest[];
}

interface Entry {
  /** As the server has it, without what no adapter reads. */
  readonly object: StoredObject;
  /** `null` when it was never good. */
  readonly source: SourcedManifest | null;
  readonly problems: readonly Problem[];
}

const WHERE = "the cluster";

/** Kinds with a status of ours, which has to be put right when somebody changes it. */
const STATUS_KINDS = new Set([
  "Service",
  "CiliumLoadBalancerIPPool",
  "CiliumBGPClusterConfig",
  "CiliumBGPNodeConfig",
  "CiliumBGPPeerConfig",
  "CiliumL2AnnouncementPolicy",
  "IPAddressPool",
]);

export class ClusterState {
  /** By what is watched, then by `namespace/name`. */
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #composer = new IntentComposer();
  #current: LoadedCluster | null = null;

  /** True when it changed something that matters. */
  put(kind: WatchedKind, object: StoredObject): boolean {
    const entries = this.#of(kind);
    const key = keyOf(object);
    const before = entries.get(key);
    if (before !== undefined && !isNewer(object, before.object)) return false;
    const entry = entryOf(kind.kind === "Secret" ? keyAlone(object) : object, before);
    entries.set(key, entry);
    // A kubelet tells of its Node again and again; most of that concerns nobody here.
    if (before !== undefined && saysTheSame(before, entry) && !STATUS_KINDS.has(kind.kind)) return false;
    this.#current = null;
    return true;
  }

  remove(kind: WatchedKind, object: StoredObject): boolean {
    const entries = this.#of(kind);
    const key = keyOf(object);
    const before = entries.get(key);
    if (before === undefined) return false;
    this.#current = null;
    if (kind.kind === "Secret" && before.source !== null) {
      const name = `Secret/${key}`;
      const message = "is gone; its key stays in use until no session names it or this process starts anew";
      const problem: Problem = { severity: "warning", object: name, field: "", message, where: WHERE };
      entries.set(key, { ...before, problems: [problem] });
      return true;
    }
    return entries.delete(key);
  }

  replaceAll(kind: WatchedKind, objects: readonly StoredObject[]): boolean {
    const keys = new Set(objects.map(keyOf));
    let changed = false;
    for (const [key, { object }] of this.#of(kind)) if (!keys.has(key)) changed = this.remove(kind, object) || changed;
    for (const object of objects) changed = this.put(kind, object) || changed;
    return changed;
  }

  /** Objects of a kind, as the server has them. */
  *objects(kind: string): Iterable<StoredObject> {
    for (const [place, entries] of this.#entries) {
      if (place.split(" ")[0] === kind) for (const { object } of entries.values()) yield object;
    }
  }

  /** Those of one watch. */
  objectsOf(kind: WatchedKind): readonly StoredObject[] {
    return [...this.#of(kind).values()].map(({ object }) => object);
  }

  object(kind: string, key: string): StoredObject | null {
    for (const [place, entries] of this.#entries) {
      const found = place.split(" ")[0] === kind ? entries.get(key) : undefined;
      if (found !== undefined) return found.object;
    }
    return null;
  }

  current(): LoadedCluster {
    this.#current ??= this.#composed();
    return this.#current;
  }

  #composed(): LoadedCluster {
    const sources: SourcedManifest[] = [];
    const found: Problem[] = [];
    for (const entries of this.#entries.values()) {
      for (const { source, problems } of entries.values()) {
        if (source !== null) sources.push(source);
        found.push(...problems);
      }
    }
    const { intent, problems } = this.#composer.compose(sources);
    return { intent, sources, problems: [...found, ...problems] };
  }

  #of({ kind, namespace, labelSelector }: WatchedKind): Map<string, Entry> {
    const place = [kind, namespace, labelSelector].filter((part) => part != null).join(" ");
    const known = this.#entries.get(place);
    if (known !== undefined) return known;
    const entries = new Map<string, Entry>();
    this.#entries.set(place, entries);
    return entries;
  }
}

/**
 * What a write of ours was answered with may be newer than the change that a watch delivers next, and must not be undone by
 * it. Versions of one object grow.
 */
function isNewer(object: StoredObject, known: StoredObject): boolean {
  if (object.metadata.uid !== known.metadata.uid) return true;
  return BigInt(object.metadata.resourceVersion ?? 0) > BigInt(known.metadata.resourceVersion ?? 0);
}

export function keyOf({ metadata: { namespace, name } }: StoredObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/**
 * Of a Secret, what may be the key of a session. The namespaces where keys are have Secrets of others too, which are not to
 * be in the memory and on the disk of every node; nor is the copy of it that kubectl keeps in an annotation.
 */
function keyAlone(object: StoredObject): StoredObject {
  const { apiVersion, kind, metadata, data } = object as StoredObject & {
    data?: Readonly<Record<string, string>> | null;
  };
  const { name, namespace, uid, resourceVersion } = metadata;
  const password = data?.["password"];
  return {
    ...{ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } },
    ...(password === undefined ? {} : { data: { password } }),
  } as StoredObject;
}

function saysTheSame(before: Entry, now: Entry): boolean {
  return before.source === now.source && sameValue(before.problems, now.problems);
}

function entryOf(object: StoredObject, before: Entry | undefined): Entry {
  const { adapter } = knownKind(object.apiVersion!, object.kind!)!;
  const kept = pruned(adapter.schema, object) as StoredObject;
  const read = readObject(kept);
  const problems = read.findings.map(
    ({ severity, path, message }): Problem => ({
      severity,
      object: read.object,
      field: formatPath(path),
      message,
      where: WHERE,
    }),
  );
  if (read.manifest !== null) {
    const source = { object: read.object, where: WHERE, manifest: read.manifest };
    const isSame = before?.source != null && sameValue(before.source.manifest, read.manifest);
    return { object: kept, source: isSame ? before.source : source, problems };
  }
  const source = before?.source ?? null;
  if (source !== null) {
    const message = "has errors, so its last good state stays in use";
    problems.push({ severity: "warning", object: read.object, field: "", message, where: WHERE });
  }
  return { object: kept, source, problems };
}
