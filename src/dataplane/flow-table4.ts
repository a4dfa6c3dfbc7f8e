/**
 * Flows of IPv4: rows of one cache line. The BPF programs have the same in native/bpf/flow_row.h.
 *
 *   word  0 source   1 destination   2 ports          3 tag
 *         4 new source  5 new dest.  6 new ports      7 checksum deltas: IPv4 header | transport << 16
 *         8 egress   9 owner        10 state         11 last seen
 *        12 packets, low   13 high                   14 bytes, low   15 high
 */
import { delta32, fold } from "../wire/checksum.ts";
import { storeMapped, swapPorts } from "../wire/raw.ts";
import { BackendLoad } from "./backend-load.ts";
import { flowHash, type HashKey } from "./flow-hash.ts";
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE } from "./flow-key.ts";
import { FlowTable, NO_ROW, PROBE_LIMIT, TAG_LIVE, TAG_MATCH, TAG_OVERFLOW, TAG_PROTOCOL } from "./flow-table.ts";
import { type FrameBatch, FrameKind } from "./frame-batch.ts";

export const ROW_WORDS = 16;
export const ROW_BYTES = 64;

const ROW_DESTINATION = 1;
export const ROW_PORTS = 2;
export const ROW_TAG = 3;
export const ROW_NEW_SOURCE = 4;
export const ROW_NEW_DESTINATION = 5;
export const ROW_NEW_PORTS = 6;
export const ROW_DELTAS = 7;
export const ROW_EGRESS = 8;
export const ROW_OWNER = 9;
export const ROW_STATE = 10;
const ROW_LAST_SEEN = 11;
const ROW_PACKETS = 12;
const ROW_BYTES_COUNT = 14;

const LAYOUT = {
  words: ROW_WORDS,
  tag: ROW_TAG,
  egress: ROW_EGRESS,
  owner: ROW_OWNER,
  state: ROW_STATE,
  lastSeen: ROW_LAST_SEEN,
  packets: ROW_PACKETS,
  bytes: ROW_BYTES_COUNT,
};

/** The word of an IPv4 address among the four of a key's. */
const LAST = 3;

export class FlowTable4 extends FlowTable {
  readonly #k0: number;
  readonly #k1: number;

  /** @param load is the same for both families, and for all threads. */
  constructor(words: Int32Array, key: HashKey, load: BackendLoad = new BackendLoad()) {
    super(words, LAYOUT, load);
    this.#k0 = key.k0 | 0;
    this.#k1 = key.k1 | 0;
  }

  hash(source: number, destination: number, ports: number, protocol: number): number {
    return flowHash(this.#k0, this.#k1, source, destination, ports, protocol);
  }

  override touchAll({ hash: hashes, kind: kinds, count }: FrameBatch): void {
    const words = this.words;
    const mask = this.mask;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const kind = kinds[i]!;
      if (kind !== FrameKind.Plain && kind !== FrameKind.Flow4) continue;
      sum = (sum + words[(hashes[i]! & mask) * ROW_WORDS + ROW_TAG]!) | 0;
    }
    this.touched[0] = sum;
  }

  /** The live row of a key, as the index of its first word, or `NO_ROW`. */
  find(hash: number, source: number, destination: number, ports: number, protocol: number): number {
    const words = this.words;
    const mask = this.mask;
    const match = TAG_LIVE | protocol;
    let slot = hash & mask;
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const row = slot * ROW_WORDS;
      const tag = words[row + ROW_TAG]!;
      if (
        (tag & TAG_MATCH) === match &&
        words[row] === source &&
        words[row + ROW_DESTINATION] === destination &&
        words[row + ROW_PORTS] === ports
      ) {
        return row;
      }
      if ((tag & TAG_OVERFLOW) === 0) return NO_ROW;
      slot = (slot + 1) & mask;
    }
    return NO_ROW;
  }

  override hashKey(key: FlowKey): number {
    return this.hash(key[KEY_SOURCE + LAST]!, key[KEY_DESTINATION + LAST]!, key[KEY_PORTS]!, key[KEY_PROTOCOL]!);
  }

  override findKey(hash: number, key: FlowKey): number {
    return this.find(hash, key[KEY_SOURCE + LAST]!, key[KEY_DESTINATION + LAST]!, key[KEY_PORTS]!, key[KEY_PROTOCOL]!);
  }

  override hasKey(row: number, key: FlowKey): boolean {
    const words = this.words;
    return (
      (Atomics.load(words, row + ROW_TAG) & TAG_MATCH) === (TAG_LIVE | key[KEY_PROTOCOL]!) &&
      words[row] === key[KEY_SOURCE + LAST] &&
      words[row + ROW_DESTINATION] === key[KEY_DESTINATION + LAST] &&
      words[row + ROW_PORTS] === key[KEY_PORTS]
    );
  }

  override loadKey(row: number, into: FlowKey): void {
    this.#load(row, row, into);
  }

  override loadTranslation(row: number, into: FlowKey): void {
    this.#load(row, row + ROW_NEW_SOURCE, into);
  }

  override storeTranslation(row: number, translated: FlowKey): void {
    const words = this.words;
    const source = translated[KEY_SOURCE + LAST]!;
    const destination = translated[KEY_DESTINATION + LAST]!;
    const ports = translated[KEY_PORTS]!;
    const header = fold(delta32(words[row]!, source) + delta32(words[row + ROW_DESTINATION]!, destination));
    words[row + ROW_NEW_SOURCE] = source;
    words[row + ROW_NEW_DESTINATION] = destination;
    words[row + ROW_NEW_PORTS] = ports;
    // TCP and UDP sums cover the addresses by their pseudo-header and the ports themselves (RFC 9293 §3.1, RFC 768).
    words[row + ROW_DELTAS] = header | (fold(header + delta32(words[row + ROW_PORTS]!, ports)) << 16);
  }

  override peer(row: number): number {
    const peer = this.#findReverse(row, row + ROW_NEW_SOURCE);
    return peer === NO_ROW ? this.#findReverse(row, row) : peer;
  }

  protected override storeKey(row: number, key: FlowKey): void {
    this.words[row] = key[KEY_SOURCE + LAST]!;
    this.words[row + ROW_DESTINATION] = key[KEY_DESTINATION + LAST]!;
    this.words[row + ROW_PORTS] = key[KEY_PORTS]!;
  }

  protected override rowHash(row: number): number {
    const words = this.words;
    const protocol = words[row + ROW_TAG]! & TAG_PROTOCOL;
    return this.hash(words[row]!, words[row + ROW_DESTINATION]!, words[row + ROW_PORTS]!, protocol);
  }

  /** The row that the other direction of a key, before or after translation, finds. */
  #findReverse(row: number, at: number): number {
    const words = this.words;
    const source = words[at + 1]!;
    const destination = words[at]!;
    const ports = swapPorts(words[at + 2]!);
    const protocol = words[row + ROW_TAG]! & TAG_PROTOCOL;
    return this.find(this.hash(source, destination, ports, protocol), source, destination, ports, protocol);
  }

  /** Source, destination and ports lie side by side, before and after translation. */
  #load(row: number, at: number, into: FlowKey): void {
    storeMapped(into, KEY_SOURCE, this.words[at]!);
    storeMapped(into, KEY_DESTINATION, this.words[at + 1]!);
    into[KEY_PORTS] = this.words[at + 2]!;
    into[KEY_PROTOCOL] = this.words[row + ROW_TAG]! & TAG_PROTOCOL;
  }
}

/** Zeroed memory for a table that no kernel shares. */
export function flowTable4Memory(rows: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(rows * ROW_BYTES));
}
