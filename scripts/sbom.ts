/**
 * `npm run sbom`: the packages of the running program as CycloneDX 1.5, from package-lock.json alone, the same each time.
 * (`npm sbom --omit dev` leaves out a package that a tool would use as well if it were there, which `yaml` is.)
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  readonly version: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

type Packages = Readonly<Record<string, LockedPackage>>;

export interface Bom {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.5";
  readonly version: 1;
  readonly metadata: { readonly component: object };
  readonly components: readonly { readonly name: string; readonly version: string; readonly purl: string }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

export function billOfMaterials(lock: { readonly packages: Packages; readonly name: string }): Bom {
  const { packages } = lock;
  const root = packages[""]!;
  const reached = new Map<string, readonly string[]>();
  const waiting = [""];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    const needed = namesOf(packages[path]!).flatMap((name) => placeOf(packages, path, name) ?? []);
    reached.set(path, needed);
    waiting.push(...needed);
  }
  const purl = (path: string) => (path === "" ? `pkg:npm/${lock.name}@${root.version}` : purlOf(path, packages[path]!));
  const paths = [...reached.keys()].filter((path) => path !== "").toSorted();
  return {
    ...{ bomFormat: "CycloneDX", specVersion: "1.5", version: 1 },
    metadata: {
      component: {
        ...{ type: "application", "bom-ref": purl(""), name: lock.name, version: root.version, purl: purl("") },
      },
    },
    components: [...new Map(paths.map((path) => [purl(path), component(path, packages[path]!)])).values()],
    dependencies: ["", ...paths].map((path) => ({
      ref: purl(path),
      dependsOn: reached.get(path)!.map(purl).toSorted(),
    })),
  };
}

function namesOf({ dependencies, optionalDependencies, peerDependencies, ...more }: LockedPackage): string[] {
  const peers = Object.keys(peerDependencies ?? {}).filter(
    (name) => more.peerDependenciesMeta?.[name]?.optional !== true,
  );
  return [...Object.keys(dependencies ?? {}), ...Object.keys(optionalDependencies ?? {}), ...peers];
}

/** Where Node.js would find a package for who lies at `from`; `null` for one that is not there. */
function placeOf(packages: Packages, from: string, name: string): string | null {
  const folders = from
    .split("/node_modules/")
    .map((_, index, parts) => parts.slice(0, parts.length - index).join("/node_modules/"));
  const places = [...folders.filter(Boolean).map((folder) => `${folder}/node_modules/${name}`), `node_modules/${name}`];
  return places.find((place) => packages[place] !== undefined) ?? null;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

/** https://github.com/package-url/purl-spec: a scope's sign is escaped. */
function purlOf(path: string, { version }: LockedPackage): string {
  return `pkg:npm/${nameOf(path).replace("@", "%40")}@${version}`;
}

function component(path: string, locked: LockedPackage): Bom["components"][number] {
  const { version, integrity, license } = locked;
  const [algorithm, digest] = integrity?.split("-") ?? [];
  const content = digest === undefined ? "" : Buffer.from(digest, "base64").toString("hex");
  return {
    ...{ type: "library", "bom-ref": purlOf(path, locked), name: nameOf(path), version, purl: purlOf(path, locked) },
    ...(license === undefined ? {} : { licenses: [{ license: { name: license } }] }),
    ...(content === "" ? {} : { hashes: [{ alg: algorithm!.replace("sha", "SHA-"), content }] }),
  };
}

if (import.meta.main) {
  const lock = JSON.parse(readFileSync(join(import.meta.dirname, "../package-lock.json"), "utf8"));
  process.stdout.write(`${JSON.stringify(billOfMaterials(lock), null, 2)}\n`);
}
