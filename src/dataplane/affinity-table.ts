/**
 * Which backend a client of a Service has, where the Service keeps clients to one (sessionAffinity: ClientIP). Shared by all
 * workers, and by all ports of the Service: the backend is known by its address.
 *
 *   word 0..3 client   4 Service   5 second of its last new flow   6 version   7 unused   8..11 backend
 *
 * Bounded: where a client's places are all taken, the one that has been silent longest is forgotten; its next flow goes
 * where the client's hash says. An odd version is being written; a reader that sees another one after reading than before
 * has read nothing.
 */

import { copyAddress, sameAddress } from "../wire/raw.ts";
import { mixed } from "./address-hash.ts";

const ENTRIES = 1 << 14;
const ENTRY_WORDS = 16;
const PROBE_LIMIT = 8;
const SERVICE = 4;
const SECOND = 5;
const VERSION = 6;
const BACKEND = 8;

const NOT_KNOWN = -1;

export class AffinityTable {
  readonly words: Int32Array;

  constructor(words: Int32Array = affinityMemory()) {
    this.words = words;
  }

  /**
   * Where in `words` the address of a client's backend is; `NOT_KNOWN` when it has none, or had its last flow too long ago.
   * It may be overwritten at any time, so whoever uses it must not trust it to be one of the Service's.
   */
  find(client: Int32Array, at: number, service: number, seconds: number, now: number): number {
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const entry = entryOf(client, at, service, probe);
      const version = Atomics.load(this.words, entry + VERSION);
      if ((version & 1) !== 0 || !this.#isOf(entry, client, at, service)) continue;
      const isFresh = now - this.words[entry + SECOND]! < seconds;
      if (isFresh && Atomics.load(this.words, entry + VERSION) === version) return entry + BACKEND;
    }
    return NOT_KNOWN;
  }

  /** Notes a new flow of a client. @param backend offset of its backend's address in `backends`. */
  remember(
    client: Int32Array,
    at: number,
    service: number,
    backends: Int32Array,
    backend: number,
    seconds: number,
    now: number,
  ): void {
    const { words } = this;
    let place = entryOf(client, at, service, 0);
    let silent = -1;
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const entry = entryOf(client, at, service, probe);
      if (this.#isOf(entry, client, at, service)) {
        place = entry;
        break;
      }
      const unused = words[entry + VERSION] === 0;
      const since = unused ? seconds + now : now - words[entry + SECOND]!;
      if (since <= silent) continue;
      place = entry;
      silent = since;
    }
    const version = Atomics.load(words, place + VERSION);
    // Somebody else is writing there: this client's next flow will find the same backend by its hash.
    if ((version & 1) !== 0) return;
    if (Atomics.compareExchange(words, place + VERSION, version, version + 1) !== version) return;
    copyAddress(words, place, client, at);
    words[place + SERVICE] = service;
    words[place + SECOND] = now;
    copyAddress(words, place + BACKEND, backends, backend);
    Atomics.store(words, place + VERSION, (version + 2) | 0);
  }

  #isOf(entry: number, client: Int32Array, at: number, service: number): boolean {
    const { words } = this;
    return words[entry + VERSION] !== 0 && words[entry + SERVICE] === service && sameAddress(words, entry, client, at);
  }
}

export function affinityMemory(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(ENTRIES * ENTRY_WORDS * 4));
}

function entryOf(client: Int32Array, at: number, service: number, probe: number): number {
  return ((mixed(client, at, Math.imul(service, 0x85ebca6b)) + probe) & (ENTRIES - 1)) * ENTRY_WORDS;
}
