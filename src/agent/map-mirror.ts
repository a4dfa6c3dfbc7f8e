/**
 * A BPF map that follows a set of entries: written by difference, so that it never lacks what stays. It begins with what
 * is in the map, which may be a dead process's.
 */
import type { BpfMap } from "../xdp/bpf-map.ts";

export interface MapEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What is written as a value where only the key counts. */
export const PRESENT = Uint8Array.of(1);

export class MapMirror {
  readonly #map: BpfMap;
  /** By key, in hex. */
  #entries: ReadonlyMap<string, MapEntry>;

  constructor(map: BpfMap) {
    this.#map = map;
    this.#entries = byKey(map.entries());
  }

  /** @param wanted by a name of the caller's, one for each key. */
  apply(wanted: ReadonlyMap<string, MapEntry>): void {
    const entries = byKey(wanted.values());
    for (const [name, { key, value }] of entries) {
      const before = this.#entries.get(name)?.value;
      if (before === undefined || Buffer.compare(before, value) !== 0) this.#map.update(key, value);
    }
    for (const [name, { key }] of this.#entries) {
      if (!entries.has(name)) this.#map.delete(key);
    }
    this.#entries = entries;
  }
}

function byKey(entries: Iterable<MapEntry>): ReadonlyMap<string, MapEntry> {
  return new Map(Array.from(entries, (entry) => [Buffer.from(entry.key).toString("hex"), entry]));
}
