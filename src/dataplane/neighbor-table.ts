/**
 * Neighbours: the MAC behind each next hop, in shared memory. The main thread mirrors them from the kernel; a flow row
 * keeps the index of its neighbour, so the hot path rewrites both MACs with three loads and three stores.
 *
 *   word 0..3 address (wire/raw.ts)   4 state   5..7 Ethernet words, copy A   8..10 copy B   11 unused
 *   state: | port 8 | 0 | USED | WANTED | COPY_B | VALID |
 *   Ethernet words: destination[0..3] | destination[4..5] source[0..1] | source[2..5]
 *
 * A changed MAC is written to the copy that nobody reads, then the selector flips: no frame gets half of one. An index
 * is never given to another address while the process lives, so a flow can't be sent to a stranger.
 */
import type { Mac } from "../net/mac.ts";
import { ADDRESS_WORDS, copyAddress, sameAddress } from "../wire/raw.ts";
import { mixed } from "./address-hash.ts";
import { rawMac } from "./port-table.ts";

const WORDS = 12;
const PROBE_LIMIT = 32;

const STATE = ADDRESS_WORDS;
const COPY_A = STATE + 1;
const COPY_B = COPY_A + 3;
const STATE_VALID = 1 << 0;
const STATE_COPY_B = 1 << 1;
const STATE_WANTED = 1 << 2;
/** Distinguishes a used row from a free one even for port 0. */
const STATE_USED = 1 << 3;
const STATE_PORT_SHIFT = 8;

export const NO_NEIGHBOR = -1;
/** The "address" of a stack port's one neighbour, the other end of its veth pair: no host has it. */
export const STACK_NEIGHBOR = new Int32Array(ADDRESS_WORDS);
/** Indices fit the 16 bits that a flow row has for them. */
const MAX_NEIGHBORS = 1 << 16;

export class NeighborTable {
  readonly words: Int32Array;
  readonly #mask: number;

  constructor(words: Int32Array) {
    this.words = words;
    const capacity = words.length / WORDS;
    if ((capacity & (capacity - 1)) !== 0 || capacity > MAX_NEIGHBORS) {
      throw new RangeError(`a neighbour table has a power of two of rows, at most ${MAX_NEIGHBORS}; got ${capacity}`);
    }
    this.#mask = capacity - 1;
  }

  /** Index of the row for a next hop on a port, resolved or not, or `NO_NEIGHBOR`. */
  find(address: Int32Array, at: number, port: number): number {
    const words = this.words;
    let index = this.#home(address, at, port);
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const row = index * WORDS;
      const state = words[row + STATE]!;
      if ((state & STATE_USED) === 0) return NO_NEIGHBOR;
      if (state >>> STATE_PORT_SHIFT === port && sameAddress(words, row, address, at)) return index;
      index = (index + 1) & this.#mask;
    }
    return NO_NEIGHBOR;
  }

  /** The indexes of all rows that have a MAC. */
  valid(): number[] {
    const rows = this.words.length / WORDS;
    return Array.from({ length: rows }, (_, index) => index).filter((index) => this.isValid(index));
  }

  isValid(index: number): boolean {
    return (this.words[index * WORDS + STATE]! & STATE_VALID) !== 0;
  }

  /** Where in `words` the address of a row is. */
  addressAt(index: number): number {
    return index * WORDS;
  }

  port(index: number): number {
    return this.words[index * WORDS + STATE]! >>> STATE_PORT_SHIFT;
  }

  /** Index of the first Ethernet word of the copy that is in force. */
  ethernetWords(index: number): number {
    const row = index * WORDS;
    return (this.words[row + STATE]! & STATE_COPY_B) !== 0 ? row + COPY_B : row + COPY_A;
  }

  /** Writes both MACs of a neighbour that is valid into the frame at `offset`. */
  writeMacs(index: number, view: DataView, offset: number): void {
    const words = this.words;
    const at = this.ethernetWords(index);
    view.setInt32(offset, words[at]!, true);
    view.setInt32(offset + 4, words[at + 1]!, true);
    view.setInt32(offset + 8, words[at + 2]!, true);
  }

  /** Sets the MAC of a next hop, or marks it unresolved with `null`. @returns its index, `NO_NEIGHBOR` when full. */
  set(address: Int32Array, port: number, destination: Mac | null, source: Mac): number {
    const index = this.want(address, port);
    if (index === NO_NEIGHBOR) return index;
    const row = index * WORDS;
    const state = this.words[row + STATE]!;
    if (destination === null) {
      Atomics.and(this.words, row + STATE, ~STATE_VALID);
      return index;
    }
    const spare = (state & STATE_COPY_B) !== 0 ? row + COPY_A : row + COPY_B;
    const [destinationFirst, destinationLast] = rawMac(destination);
    const [sourceFirst, sourceLast] = rawMac(source);
    this.words[spare] = destinationFirst;
    this.words[spare + 1] = destinationLast | (sourceFirst << 16);
    this.words[spare + 2] = (sourceFirst >>> 16) | (sourceLast << 16);
    Atomics.xor(this.words, row + STATE, STATE_COPY_B);
    Atomics.or(this.words, row + STATE, STATE_VALID);
    return index;
  }

  /** Makes sure that a next hop has a row, resolved or not yet. Main thread only. */
  want(address: Int32Array, port: number): number {
    const words = this.words;
    let index = this.#home(address, 0, port);
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const row = index * WORDS;
      const state = words[row + STATE]!;
      if ((state & STATE_USED) === 0) {
        copyAddress(words, row, address, 0);
        Atomics.store(words, row + STATE, STATE_USED | (port << STATE_PORT_SHIFT));
        return index;
      }
      if (state >>> STATE_PORT_SHIFT === port && sameAddress(words, row, address, 0)) return index;
      index = (index + 1) & this.#mask;
    }
    return NO_NEIGHBOR;
  }

  /** Marks a next hop as needed by a frame. @returns whether this is news: the asker then tells the main thread. */
  markWanted(index: number): boolean {
    return (Atomics.or(this.words, index * WORDS + STATE, STATE_WANTED) & STATE_WANTED) === 0;
  }

  /** Takes the mark back once the kernel has been asked. */
  clearWanted(index: number): void {
    Atomics.and(this.words, index * WORDS + STATE, ~STATE_WANTED);
  }

  #home(words: Int32Array, at: number, port: number): number {
    return mixed(words, at, port) & this.#mask;
  }
}

export function neighborTableMemory(rows: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(rows * WORDS * 4));
}
