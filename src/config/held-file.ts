/**
 * Where a gateway that runs on files keeps what its Services hold, so that a restart renumbers nobody: manifests that people
 * write have no status. Not a configuration; whoever deletes it lets the addresses be given anew.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** By `namespace/name`. */
type HeldByService = Readonly<Record<string, { readonly ingress: readonly string[]; readonly pool: string | null }>>;

export class HeldFile {
  readonly #path: string;
  #written = "";

  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true });
  }

  /** Nothing where there is no such file; fails for one that is not ours, rather than renumber. */
  read(): HeldByService {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
      throw error;
    }
    try {
      const { version, services } = JSON.parse(text) as { version?: number; services?: HeldByService };
      if (version === 1 && services !== undefined) return services;
    } catch {
      // Told below, with what to do.
    }
    throw new Error(`${this.#path}: does not hold the addresses of Services; delete it to give them anew`);
  }

  /** Beside its place and then into it, so that a power cut leaves the old or the new one. */
  write(services: HeldByService): void {
    const held = Object.entries(services).filter(([, { ingress }]) => ingress.length > 0);
    const kept = Object.fromEntries(held.map(([key, { ingress, pool }]) => [key, { ingress, pool }]));
    const text = `${JSON.stringify({ version: 1, services: kept }, null, 1)}\n`;
    if (text === this.#written) return;
    const beside = `${this.#path}.new`;
    writeFileSync(beside, text);
    renameSync(beside, this.#path);
    this.#written = text;
  }
}
