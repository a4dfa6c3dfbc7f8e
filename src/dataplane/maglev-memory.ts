/**
 * Maglev tables in shared memory that outlives epochs: a set of backends has its table in one place for as long as some VIP
 * has it, and VIPs with the same set share it. So a changed endpoint costs one table, not one for every VIP (0.4 ms and
 * 32 kB each, 10,000 of them in a large cluster), and an epoch no memory but for what is new in it.
 *
 * A place is used again two epochs after its table was last wanted, when no worker can look at it any more.
 */
import { formatIpAddress } from "../net/ip-address.ts";
import type { HashKey } from "./flow-hash.ts";
import { fillMaglev, type MaglevBackend } from "./maglev.ts";

/** Tables come in chunks of about this many slots, so that little is reserved for few. */
const CHUNK_SLOTS = 1 << 19;

/** What workers need to find a table. */
export interface MaglevColumns {
  readonly chunks: readonly Uint16Array[];
  readonly tablesPerChunk: number;
  /** Slots of each table. */
  readonly tableSize: number;
}

export class MaglevMemory {
  readonly #key: HashKey;
  #tableSize = 0;
  #tablesPerChunk = 1;
  #chunks: Uint16Array[] = [];
  #tables = 0;
  #last = new Map<string, number>();
  #next = new Map<string, number>();
  #resting: number[] = [];
  #free: number[] = [];
  #made: number[] = [];

  constructor(key: HashKey) {
    this.#key = key;
  }

  /** Begins an epoch with tables of a size, a prime. Another size than before forgets all tables. */
  begin(tableSize: number): void {
    if (tableSize === this.#tableSize) return;
    this.#tableSize = tableSize;
    this.#tablesPerChunk = Math.max(1, Math.floor(CHUNK_SLOTS / tableSize));
    this.#chunks = [];
    this.#tables = 0;
    this.#last = new Map();
    this.#next = new Map();
    this.#resting = [];
    this.#free = [];
    this.#made = [];
  }

  /** Names a set of backends: what is equal has the same table. */
  static nameOf(backends: readonly MaglevBackend[]): string {
    return backends.map(({ address, weight }) => `${formatIpAddress(address)} ${weight}`).join();
  }

  /** The table of a set of backends: its number, by which `tableIn` finds it. */
  place(name: string, backends: readonly MaglevBackend[]): number {
    const known = this.#next.get(name) ?? this.#last.get(name);
    const place = known ?? this.#make(backends);
    this.#next.set(name, place);
    return place;
  }

  /** The tables of this epoch are complete. */
  end(): MaglevColumns {
    this.#free.push(...this.#resting);
    this.#resting = [...this.#last].filter(([name]) => !this.#next.has(name)).map(([, place]) => place);
    this.#last = this.#next;
    this.#next = new Map();
    return { chunks: [...this.#chunks], tablesPerChunk: this.#tablesPerChunk, tableSize: this.#tableSize };
  }

  /** The tables that were made since this was asked last, for one who keeps a copy. */
  takeMade(): readonly number[] {
    const made = this.#made;
    this.#made = [];
    return made;
  }

  #make(backends: readonly MaglevBackend[]): number {
    const place = this.#free.pop() ?? this.#tables++;
    this.#made.push(place);
    const chunk = Math.floor(place / this.#tablesPerChunk);
    const length = this.#tablesPerChunk * this.#tableSize;
    this.#chunks[chunk] ??= new Uint16Array(new SharedArrayBuffer(2 * length));
    const first = (place % this.#tablesPerChunk) * this.#tableSize;
    fillMaglev(this.#chunks[chunk]!.subarray(first, first + this.#tableSize), backends, this.#key);
    return place;
  }
}

/** The slots of a table. */
export function maglevSlots({ chunks, tablesPerChunk, tableSize }: MaglevColumns, place: number): Uint16Array {
  const first = (place % tablesPerChunk) * tableSize;
  return chunks[Math.floor(place / tablesPerChunk)]!.subarray(first, first + tableSize);
}

/** Which of its backends a table gives a hash to. */
export function maglevEntry({ chunks, tablesPerChunk, tableSize }: MaglevColumns, place: number, hash: number): number {
  const chunk = Math.floor(place / tablesPerChunk);
  return chunks[chunk]![(place - chunk * tablesPerChunk) * tableSize + ((hash >>> 0) % tableSize)]!;
}
