/**
 * Fragments: only a packet's first one has the ports, so the flow of the rest is known by what all have in common
 * (RFC 791 §2.3, RFC 8200 §4.5). A small table in shared memory, for the rest may come in by another queue.
 *
 *   word 0..3 source   4..7 destination   8 identification   9 protocol   10 ports
 *        11 where the first fragment's payload ends, bytes   12 second of the first one   13 state: 0 free, 1 in use
 *
 * An entry lasts `LIFETIME_SECONDS`; then it is taken by the next one. When no entry of a probe window is free the packet
 * is dropped: an attacker can fill the table, but nothing else than fragments suffers.
 */
import { copyAddress, sameAddress } from "../wire/raw.ts";
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE } from "./flow-key.ts";

const ENTRIES = 4096;
const ENTRY_WORDS = 16;
const PROBE_LIMIT = 16;
/** Linux keeps incomplete IPv4 packets for 30 s; what takes longer than this here is lost anyway. */
export const LIFETIME_SECONDS = 15;

const IDENTIFICATION = 8;
const PROTOCOL = 9;
const PORTS = 10;
const FIRST_END = 11;
const SECOND = 12;
const STATE = 13;
const FREE = 0;
const IN_USE = 1;
const BEING_WRITTEN = 2;

export const NO_FRAGMENT = -1;

export class FragmentTable {
  readonly words: Int32Array;

  constructor(words: Int32Array = fragmentTableMemory()) {
    this.words = words;
  }

  /**
   * Remembers the ports of a packet by its first fragment.
   * @param key addresses, ports and protocol of the first fragment.
   * @param firstEnd bytes of the packet's payload that the first fragment holds.
   * @returns whether there was room.
   */
  remember(key: FlowKey, identification: number, firstEnd: number, now: number): boolean {
    const words = this.words;
    const known = this.find(key, identification, now);
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const entry = known === NO_FRAGMENT ? this.#entry(key, identification, probe) : known;
      const state = Atomics.load(words, entry + STATE);
      if (state === BEING_WRITTEN) continue;
      if (state === IN_USE && entry !== known && now - words[entry + SECOND]! < LIFETIME_SECONDS) continue;
      if (Atomics.compareExchange(words, entry + STATE, state, BEING_WRITTEN) !== state) continue;
      copyAddress(words, entry, key, KEY_SOURCE);
      copyAddress(words, entry + KEY_DESTINATION, key, KEY_DESTINATION);
      words[entry + IDENTIFICATION] = identification;
      words[entry + PROTOCOL] = key[KEY_PROTOCOL]!;
      words[entry + PORTS] = key[KEY_PORTS]!;
      words[entry + FIRST_END] = firstEnd;
      words[entry + SECOND] = now;
      Atomics.store(words, entry + STATE, IN_USE);
      return true;
    }
    return false;
  }

  /** The entry of a later fragment's packet; its ports do not count. `NO_FRAGMENT` when the first has not come. */
  find(key: FlowKey, identification: number, now: number): number {
    const words = this.words;
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const entry = this.#entry(key, identification, probe);
      const state = Atomics.load(words, entry + STATE);
      // Entries are never freed, so nothing can lie past one that was never used.
      if (state === FREE) return NO_FRAGMENT;
      if (
        state === IN_USE &&
        words[entry + IDENTIFICATION] === identification &&
        words[entry + PROTOCOL] === key[KEY_PROTOCOL] &&
        now - words[entry + SECOND]! < LIFETIME_SECONDS &&
        sameAddress(words, entry, key, KEY_SOURCE) &&
        sameAddress(words, entry + KEY_DESTINATION, key, KEY_DESTINATION)
      ) {
        return entry;
      }
    }
    return NO_FRAGMENT;
  }

  ports(entry: number): number {
    return this.words[entry + PORTS]!;
  }

  firstEnd(entry: number): number {
    return this.words[entry + FIRST_END]!;
  }

  #entry(key: FlowKey, identification: number, probe: number): number {
    const source = key[KEY_SOURCE]! ^ key[KEY_SOURCE + 1]! ^ key[KEY_SOURCE + 2]! ^ key[KEY_SOURCE + 3]!;
    const hash = Math.imul(source ^ Math.imul(identification, 0x85ebca6b) ^ key[KEY_DESTINATION + 3]!, 0x9e3779b1);
    return (((hash >>> 8) + probe) & (ENTRIES - 1)) * ENTRY_WORDS;
  }
}

export function fragmentTableMemory(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(ENTRIES * ENTRY_WORDS * 4));
}
