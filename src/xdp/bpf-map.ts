/**
 * A BPF map: keys and values as bytes, in the byte order of the machine or the wire as the program that reads them says.
 *
 * Small maps go through `lookup` / `update` / `delete`, many entries through the batch calls (one system call for
 * thousands), and the hot tables through `mmap`, without system calls.
 */
import { renameSync, rmSync } from "node:fs";
import { type BpfMapDescription, type NativeBpfMap, native } from "./native.ts";

/** Entries per system call when a whole map is read. */
const BATCH_ENTRIES = 4096;

const BPF_F_MMAPABLE = 1 << 10;
/** An array in a map of maps that may be of another size than its neighbours. */
export const BPF_F_INNER_MAP = 1 << 12;

export class BpfMap {
  readonly fd: number;
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly #native: NativeBpfMap;
  #words: Int32Array | null = null;

  private constructor(map: NativeBpfMap) {
    const description: BpfMapDescription = map.describe();
    this.#native = map;
    this.fd = description.fd;
    this.name = description.name;
    this.keySize = description.keySize;
    this.valueSize = description.valueSize;
    this.maxEntries = description.maxEntries;
  }

  /** Opens the map behind a descriptor, also one of another thread of this process. Duplicates it: close both. */
  static fromFd(fd: number): BpfMap {
    return new BpfMap(new native.BpfMap(fd));
  }

  /** Makes an array that may be mapped into memory, to be put into a map of maps. */
  static createArray(name: string, valueSize: number, maxEntries: number, flags = 0): BpfMap {
    return BpfMap.#taken(native.createArray(name, valueSize, maxEntries, BPF_F_MMAPABLE | flags));
  }

  static #taken(fd: number): BpfMap {
    try {
      return BpfMap.fromFd(fd);
    } finally {
      native.closeFd(fd);
    }
  }

  /** Opens a pinned map; `null` when there is none. */
  static fromPin(path: string): BpfMap | null {
    const fd = native.openPinned(path);
    return fd < 0 ? null : BpfMap.#taken(fd);
  }

  /** Pins it, in place of what is pinned there: whoever opens the path finds the one or the other. */
  pin(path: string): void {
    const beside = `${path}_new`;
    rmSync(beside, { force: true });
    native.pinMap(this.fd, beside);
    renameSync(beside, path);
  }

  /** Reads one value into `into`; `false` when there is no such key. */
  lookup(key: Uint8Array, into: Uint8Array): boolean {
    return this.#native.lookup(key, into);
  }

  update(key: Uint8Array, value: Uint8Array): void {
    this.#native.update(key, value);
  }

  /** `false` when there was no such key. */
  delete(key: Uint8Array): boolean {
    return this.#native.delete(key);
  }

  /** Writes `count` entries from arrays of keys and values laid end to end. */
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): void {
    this.#native.updateBatch(keys, values, count);
  }

  /** Deletes `count` keys; those that are not there do not matter. */
  deleteBatch(keys: Uint8Array, count: number): void {
    this.#native.deleteBatch(keys, count);
  }

  /** All entries, in no order: a hash that changes meanwhile may show an entry twice or not at all. */
  entries(): { key: Uint8Array; value: Uint8Array }[] {
    const batch = Math.min(BATCH_ENTRIES, this.maxEntries);
    const cursor = new Uint8Array(Math.max(this.keySize, 4));
    const found: { key: Uint8Array; value: Uint8Array }[] = [];
    for (let first = true; ; first = false) {
      const keys = new Uint8Array(batch * this.keySize);
      const values = new Uint8Array(batch * this.valueSize);
      const [count, more] = this.#native.lookupBatch(cursor, first, keys, values, batch);
      for (let i = 0; i < count; i++) {
        found.push({
          key: keys.subarray(i * this.keySize, (i + 1) * this.keySize),
          value: values.subarray(i * this.valueSize, (i + 1) * this.valueSize),
        });
      }
      if (!more) return found;
    }
  }

  /** The memory of a BPF_F_MMAPABLE array, shared with the kernel; the same array each time. Zeros after `close`. */
  mmap(): Int32Array {
    this.#words ??= new Int32Array(this.#native.map());
    return this.#words;
  }

  /** The memory of a ring buffer; see bpf-ring-buffer.ts, which reads it. */
  mapRing(): [consumer: ArrayBuffer, producer: ArrayBuffer] {
    return this.#native.mapRing();
  }

  close(): void {
    this.#native.close();
  }
}
