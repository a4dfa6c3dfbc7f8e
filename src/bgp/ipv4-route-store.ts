/**
 * Received IPv4 routes by prefix: open addressing over columns, 13 octets a place where a `Map` of numbers and objects
 * takes 65 a route (bench/bgp.ts, a received full table).
 *
 *     addresses | lengths (0..32, 255 empty; +64 marked) | values: index into the list of values, counted
 *
 * A value stands for the attributes of one UPDATE, which many routes share; it is let go with its last route. Deleting
 * moves later rows of the run back, so the table never ages. At most three quarters are full.
 */

import type { Ipv4 } from "../net/ipv4.ts";
import { formatPrefixKey, keyAddress, keyLength, type PrefixKey, prefixKey } from "./nlri.ts";

const EMPTY = 255;
const MARK = 64;
const LENGTH = 63;
const FIRST_PLACES = 16;

export class Ipv4RouteStore<Value> {
  #addresses = new Uint32Array(FIRST_PLACES);
  #lengths = new Uint8Array(FIRST_PLACES).fill(EMPTY);
  #values = new Uint32Array(FIRST_PLACES);
  #size = 0;
  readonly #known: (Value | null)[] = [];
  readonly #uses: number[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#size;
  }

  has(key: PrefixKey): boolean {
    return this.#lengths[this.#find(keyAddress(key), keyLength(key))] !== EMPTY;
  }

  /** Keeps `value` for all of `keys`, up to `most` routes in all, and takes marks away. @returns whether all were kept. */
  setAll(keys: readonly PrefixKey[], value: Value, most: number): boolean {
    const index = this.#free.pop() ?? this.#known.length;
    this.#known[index] = value;
    // Held while it is given out: a prefix that stands twice in `keys` lets go of it in between.
    this.#uses[index] = 1;
    let allKept = true;
    for (const key of keys) {
      const [address, length] = [keyAddress(key), keyLength(key)];
      let place = this.#find(address, length);
      if (this.#lengths[place] !== EMPTY) this.#release(this.#values[place]!);
      else if (this.#size >= most) {
        allKept = false;
        continue;
      } else {
        this.#size++;
        if (4 * this.#size > 3 * this.#lengths.length) {
          this.#grow();
          place = this.#find(address, length);
        }
      }
      this.#addresses[place] = address;
      this.#lengths[place] = length;
      this.#values[place] = index;
      this.#uses[index]!++;
    }
    this.#release(index);
    return allKept;
  }

  delete(key: PrefixKey): void {
    let hole = this.#find(keyAddress(key), keyLength(key));
    if (this.#lengths[hole] !== EMPTY) {
      this.#release(this.#values[hole]!);
      this.#size--;
      const mask = this.#lengths.length - 1;
      for (let place = (hole + 1) & mask; this.#lengths[place] !== EMPTY; place = (place + 1) & mask) {
        // A row may move back only as far as its home.
        const home = this.#home(this.#addresses[place]!, this.#lengths[place]! & LENGTH);
        if (((place - home) & mask) < ((place - hole) & mask)) continue;
        this.#move(place, hole);
        hole = place;
      }
      this.#lengths[hole] = EMPTY;
    }
  }

  clear(): void {
    this.#lengths.fill(EMPTY);
    this.#size = 0;
    for (const list of [this.#known, this.#uses, this.#free]) list.length = 0;
  }

  /** Marks every route; `setAll` takes the mark away. */
  mark(): void {
    for (let place = 0; place < this.#lengths.length; place++) {
      if (this.#lengths[place] !== EMPTY) this.#lengths[place]! |= MARK;
    }
  }

  deleteMarked(): void {
    for (const [key] of [...this.#entries(true)]) this.delete(key);
  }

  /** `[text, value]` of each route, in no order. */
  *entries(): Generator<readonly [string, Value]> {
    for (const [key, index] of this.#entries(false)) yield [formatPrefixKey(key), this.#known[index]!];
  }

  *#entries(onlyMarked: boolean): Generator<readonly [PrefixKey, number]> {
    for (let place = 0; place < this.#lengths.length; place++) {
      const length = this.#lengths[place]!;
      if (length === EMPTY || (onlyMarked && (length & MARK) === 0)) continue;
      const key = prefixKey({ address: this.#addresses[place]! as Ipv4, length: length & LENGTH });
      yield [key, this.#values[place]!];
    }
  }

  #home(address: number, length: number): number {
    let hash = Math.imul(address ^ length, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) & (this.#lengths.length - 1);
  }

  /** The place of the prefix, or the empty one where it would go. */
  #find(address: number, length: number): number {
    const mask = this.#lengths.length - 1;
    let place = this.#home(address, length);
    for (;;) {
      const there = this.#lengths[place]!;
      if (there === EMPTY || ((there & LENGTH) === length && this.#addresses[place] === address)) return place;
      place = (place + 1) & mask;
    }
  }

  #move(from: number, to: number): void {
    this.#addresses[to] = this.#addresses[from]!;
    this.#lengths[to] = this.#lengths[from]!;
    this.#values[to] = this.#values[from]!;
  }

  #grow(): void {
    const [addresses, lengths, values] = [this.#addresses, this.#lengths, this.#values];
    const places = 2 * lengths.length;
    this.#addresses = new Uint32Array(places);
    this.#lengths = new Uint8Array(places).fill(EMPTY);
    this.#values = new Uint32Array(places);
    for (let old = 0; old < lengths.length; old++) {
      if (lengths[old] === EMPTY) continue;
      const place = this.#find(addresses[old]!, lengths[old]! & LENGTH);
      this.#addresses[place] = addresses[old]!;
      this.#lengths[place] = lengths[old]!;
      this.#values[place] = values[old]!;
    }
  }

  #release(index: number): void {
    if (--this.#uses[index]! > 0) return;
    this.#known[index] = null;
    this.#free.push(index);
  }
}
