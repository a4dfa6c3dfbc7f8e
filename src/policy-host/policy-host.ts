/**
 * The policies of this node as the main thread sees them: modules are stored and tried when they, their options or the
 * files they read change; what can't be loaded leaves the version before it in force, and the reason is told.
 *
 *     const { policies, slots, changed } = await host.load(intent.flowPolicies);   // then publish them with the table
 *     host.onChange(() => ...);                                                    // a file changed: load again
 */
import { existsSync, type FSWatcher, rmSync, statSync, watch } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { MAX_POLICIES } from "../dataplane/new-flow-policies.ts";
import type { FlowPolicy } from "../intent/flow-policy.ts";
import type { Intent } from "../intent/intent.ts";
import type { Problem } from "../intent/problem.ts";
import type { StateMemory } from "../policy/shared-state.ts";
import type { LoadedPolicy } from "./loaded-policy.ts";
import { digestOf, ModuleStore, type StoredModule } from "./module-store.ts";
import { isText, TEXT_PREFIX, textOf } from "./policy-texts.ts";
import { type TryResult, tryPolicy } from "./try-policy.ts";

const BUILTIN = "builtin:";
/** Editors write a file in several steps. */
const SETTLE_MILLISECONDS = 100;

export interface PolicyState {
  readonly name: string;
  readonly module: string;
  readonly slot: number;
  /** As the module says; `null` when none is in force. */
  readonly version: string | null;
  readonly digest: string | null;
  readonly order: number;
  readonly onError: "allow" | "deny";
  /** Why the newest version is not in force; `null` when it is. */
  readonly problem: string | null;
}

interface Entry {
  readonly slot: number;
  policy: FlowPolicy;
  /** Digest, options and times of files: what was tried last. */
  tried: string;
  digest: string | null;
  version: string | null;
  loaded: LoadedPolicy;
  files: readonly string[];
  problem: string | null;
}

export interface LoadOutcome {
  /** In the order in which they are asked. */
  readonly policies: readonly LoadedPolicy[];
  readonly slots: ReadonlyMap<string, number>;
  /** Those whose open flows are to be asked about again. */
  readonly revalidate: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

export class PolicyHost {
  readonly #folder: string;
  readonly #store: ModuleStore;
  readonly #entries = new Map<string, Entry>();
  readonly #watchers = new Map<string, FSWatcher>();
  /** Digests of the modules that were in force after the last load: a worker may just be loading one of them. */
  #before: ReadonlySet<string> = new Set();
  /** Of those by their names. */
  #texts: Intent["policyFiles"] = {};
  #onChange: () => void = () => {};
  #settling: NodeJS.Timeout | null = null;

  /** @param folder for copies of modules: what is in it from an earlier run goes. */
  constructor(folder: string) {
    this.#folder = folder;
    rmSync(folder, { recursive: true, force: true });
    this.#store = new ModuleStore(folder);
  }

  /** Called when a module or a file that one reads has changed on disk. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  /** @param files of policies that are objects. @param watching `once`: whoever loads them wants no news of changes. */
  async load(
    policies: readonly FlowPolicy[],
    files: Intent["policyFiles"],
    watching: "watch" | "once" = "watch",
  ): Promise<LoadOutcome> {
    this.#texts = files;
    const names = new Set(policies.map(({ name }) => name));
    for (const name of this.#entries.keys()) if (!names.has(name)) this.#entries.delete(name);
    const problems: Problem[] = [];
    const revalidate = new Set<string>();
    for (const policy of policies) {
      const isNew = !this.#entries.has(policy.name);
      const entry = this.#entries.get(policy.name) ?? this.#newEntry(policy);
      if (entry === null) {
        problems.push(problemOf(policy, `a node runs at most ${MAX_POLICIES} policies; this one is not asked`));
        continue;
      }
      entry.policy = policy;
      const before = entry.loaded.generation;
      await this.#refresh(entry);
      if (entry.problem !== null) problems.push(problemOf(policy, sentence(entry)));
      const changed = !isNew && entry.loaded.generation !== before;
      if (changed && policy.revalidate === "on-change") revalidate.add(policy.name);
    }
    if (watching === "watch") this.#watchFiles();
    this.#forgetModules();
    const inForce = policies.flatMap(({ name }) => this.#entries.get(name) ?? []);
    return {
      policies: inForce.map(({ loaded }) => loaded),
      slots: new Map(inForce.map(({ slot, policy }) => [policy.name, slot])),
      revalidate,
      problems,
    };
  }

  status(): PolicyState[] {
    return [...this.#entries.values()].map((entry) => ({
      name: entry.policy.name,
      module: entry.policy.module,
      slot: entry.slot,
      version: entry.version,
      digest: entry.digest,
      order: entry.policy.order,
      onError: entry.policy.onError,
      problem: entry.problem === null ? null : sentence(entry),
    }));
  }

  close(): void {
    if (this.#settling !== null) clearTimeout(this.#settling);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Modules that change all the time would fill the folder, which is memory where /run is. */
  #forgetModules(): void {
    const inForce = new Set([...this.#entries.values()].flatMap(({ digest }) => digest ?? []));
    this.#store.keepOnly(new Set([...inForce, ...this.#before]));
    this.#before = inForce;
  }

  #newEntry(policy: FlowPolicy): Entry | null {
    const taken = new Set([...this.#entries.values()].map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    if (slot >= MAX_POLICIES) return null;
    const { name, onError } = policy;
    const loaded: LoadedPolicy = { name, slot, generation: 0, path: null, options: {}, onError, memory: {}, hooks: [] };
    const entry: Entry = { slot, policy, tried: "", digest: null, version: null, loaded, files: [], problem: null };
    this.#entries.set(name, entry);
    return entry;
  }

  async #refresh(entry: Entry): Promise<void> {
    const { policy, slot } = entry;
    const { name, onError } = policy;
    try {
      const stored = this.#stored(entry);
      const trial = JSON.stringify([stored.digest, policy.options, entry.files.map((file) => this.#stateOf(file))]);
      if (trial !== entry.tried) {
        entry.tried = trial;
        const known: StateMemory = entry.loaded.memory;
        const result: TryResult = await tryPolicy({
          path: stored.path,
          options: policy.options,
          known,
          folder: folderOf(policy),
          texts: this.#texts,
        });
        const { options, memory, hooks, version, files } = result;
        const generation = entry.loaded.generation + 1;
        entry.loaded = { name, slot, generation, path: stored.path, options, onError, memory, hooks };
        entry.version = version;
        entry.digest = stored.digest;
        entry.files = files;
        entry.tried = JSON.stringify([stored.digest, policy.options, files.map((file) => this.#stateOf(file))]);
        entry.problem = null;
      }
    } catch (error) {
      entry.problem = error instanceof Error ? error.message : String(error);
    }
    if (entry.loaded.onError !== onError) entry.loaded = { ...entry.loaded, onError };
  }

  #stored(entry: Entry): StoredModule {
    try {
      const { module } = entry.policy;
      if (!isText(module)) return this.#store.store(sourceOf(entry.policy));
      return this.#store.storeText(module, textOf(module, this.#texts));
    } catch (error) {
      // When the same module is back, it is tried again.
      entry.tried = "";
      throw error;
    }
  }

  /** Folders are watched, not files: an editor replaces a file, and Kubernetes swaps the link to a folder of them. */
  #watchFiles(): void {
    const wanted = new Set<string>();
    for (const { policy, files } of this.#entries.values()) {
      if (!policy.module.startsWith(BUILTIN) && !isText(policy.module)) {
        const source = sourceOf(policy);
        wanted.add(isFolder(source) ? source : dirname(source));
      }
      for (const file of files) if (!isText(file)) wanted.add(dirname(file));
    }
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) {
      if (this.#watchers.has(folder) || !existsSync(folder)) continue;
      const watcher = watch(folder, { recursive: true, persistent: false }, () => this.#settle());
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, watcher);
    }
  }

  /** What is another when the file is. */
  #stateOf(file: string): number | string {
    if (!isText(file)) return changedAt(file);
    return digestOf([[file, this.#texts[file.slice(TEXT_PREFIX.length)] ?? ""]]);
  }

  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = null;
      this.#onChange();
    }, SETTLE_MILLISECONDS);
  }
}

/** Where the modules that come with Sluice lie: beside the source tree and the built program alike. */
const BUILTIN_FOLDER = fileURLToPath(new URL("../../policies/", import.meta.url));

/** The path of a policy's module. @throws Error when it names a built-in one that doesn't exist. */
export function sourceOf(policy: Pick<FlowPolicy, "module" | "where">): string {
  if (!policy.module.startsWith(BUILTIN)) {
    return isAbsolute(policy.module) ? policy.module : resolve(folderOf(policy), policy.module);
  }
  const name = policy.module.slice(BUILTIN.length);
  const path = join(BUILTIN_FOLDER, `${name}.ts`);
  if (/^[a-z0-9-]+$/.test(name) && existsSync(path)) return path;
  throw new Error(
    `spec.module: there is no built-in policy ${JSON.stringify(name)}; docs/policies lists those there are`,
  );
}

/** Where the relative paths of a policy begin: the folder of its manifest, or the one we were started in. */
function folderOf({ where }: Pick<FlowPolicy, "where">): string {
  return where === null ? process.cwd() : dirname(resolve(where.replace(/:\d+$/, "")));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function changedAt(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function sentence({ problem, version, policy }: Entry): string {
  const meanwhile =
    version === null
      ? `new flows are ${policy.onError === "allow" ? "allowed" : "denied"} until it loads`
      : `version ${version} stays in force`;
  return `${policy.module}: ${problem}; ${meanwhile}`;
}

function problemOf({ name, where }: FlowPolicy, message: string): Problem {
  return { severity: "error", object: `SluicePolicy/${name}`, field: "spec", message, where };
}
