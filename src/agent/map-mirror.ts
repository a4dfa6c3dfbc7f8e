/** A BPF map that follows a set of entries: written by difference, so that it never lacks what stays. */
import type { BpfMap } from "../xdp/bpf-map.ts";

export interface MapEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What is written as a value where only the key counts. */
export const PRESENT = Uint8Array.of(1);

export class MapMirror {
  readonly #map: BpfMap;
  #entries: ReadonlyMap<string, MapEntry> = new Map();

  constructor(map: BpfMap) {
    this.#map = map;
  }

  /** @param entries by a name of the caller's, one for each key. */
  apply(entries: ReadonlyMap<string, MapEntry>): void {
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
