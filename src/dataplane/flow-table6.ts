/**
 * Flows of IPv6: rows of two cache lines, the first of which has all that a lookup needs. The BPF programs have the same
 * in native/bpf/flow_row.h.
 *
 *   word  0..3 source   4..7 destination   8 ports   9 tag   10 egress   11 owner   12 state   13 last seen
 *        14 transport checksum delta      15 new ports
 *        16..19 new source   20..23 new destination   24 packets, low  25 high   26 bytes, low  27 high   28..31 unused
 */
import { delta32, fold } from "../wire/checksum.ts";
import { ADDRESS_WORDS, copyAddress, sameAddress } from "../wire/raw.ts";
import { BackendLoad } from "./backend-load.ts";
import { flowHash6, type HashKey } from "./flow-hash.ts";
import {
  type FlowKey,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  newFlowKey,
  reverseKey,
} from "./flow-key.ts";
import { FlowTable, NO_ROW, PROBE_LIMIT, TAG_LIVE, TAG_MATCH, TAG_OVERFLOW, TAG_PROTOCOL } from "./flow-table.ts";
import { type FrameBatch, FrameKind } from "./frame-batch.ts";

const ROW6_WORDS = 32;
export const ROW6_BYTES = 128;

const ROW6_DESTINATION = 4;
export const ROW6_PORTS = 8;
const ROW6_TAG = 9;
export const ROW6_EGRESS = 10;
const ROW6_OWNER = 11;
export const ROW6_STATE = 12;
const ROW6_LAST_SEEN = 13;
export const ROW6_DELTA = 14;
export const ROW6_NEW_PORTS = 15;
export const ROW6_NEW_SOURCE = 16;
const ROW6_NEW_DESTINATION = 20;
const ROW6_PACKETS = 24;
const ROW6_BYTES_COUNT = 26;

const LAYOUT = {
  words: ROW6_WORDS,
  tag: ROW6_TAG,
  egress: ROW6_EGRESS,
  owner: ROW6_OWNER,
  state: ROW6_STATE,
  lastSeen: ROW6_LAST_SEEN,
  packets: ROW6_PACKETS,
  bytes: ROW6_BYTES_COUNT,
};

export class FlowTable6 extends FlowTable {
  readonly #k0: number;
  readonly #k1: number;
  readonly #scratch: FlowKey = newFlowKey();
  readonly #peerKey: FlowKey = newFlowKey();

  /** @param load is the same for both families, and for all threads. */
  constructor(words: Int32Array, key: HashKey, load: BackendLoad = new BackendLoad()) {
    super(words, LAYOUT, load);
    this.#k0 = key.k0 | 0;
    this.#k1 = key.k1 | 0;
  }

  /** Both lines of each. */
  override touchAll({ hash: hashes, kind: kinds, count }: FrameBatch): void {
    const words = this.words;
    const mask = this.mask;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      if (kinds[i] !== FrameKind.Flow6) continue;
      const row = (hashes[i]! & mask) * ROW6_WORDS;
      sum = (sum + words[row + ROW6_TAG]! + words[row + ROW6_NEW_SOURCE]!) | 0;
    }
    this.touched[0] = sum;
  }

  override hashKey(key: FlowKey): number {
    return flowHash6(this.#k0, this.#k1, key, 0, key[KEY_PROTOCOL]!);
  }

  override findKey(hash: number, key: FlowKey): number {
    const words = this.words;
    const match = TAG_LIVE | key[KEY_PROTOCOL]!;
    let slot = hash & this.mask;
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const row = slot * ROW6_WORDS;
      const tag = words[row + ROW6_TAG]!;
      if (
        (tag & TAG_MATCH) === match &&
        words[row + ROW6_PORTS] === key[KEY_PORTS] &&
        sameAddress(words, row, key, KEY_SOURCE) &&
        sameAddress(words, row + ROW6_DESTINATION, key, KEY_DESTINATION)
      ) {
        return row;
      }
      if ((tag & TAG_OVERFLOW) === 0) return NO_ROW;
      slot = (slot + 1) & this.mask;
    }
    return NO_ROW;
  }

  override hasKey(row: number, key: FlowKey): boolean {
    const words = this.words;
    return (
      (Atomics.load(words, row + ROW6_TAG) & TAG_MATCH) === (TAG_LIVE | key[KEY_PROTOCOL]!) &&
      words[row + ROW6_PORTS] === key[KEY_PORTS] &&
      sameAddress(words, row, key, KEY_SOURCE) &&
      sameAddress(words, row + ROW6_DESTINATION, key, KEY_DESTINATION)
    );
  }

  override loadKey(row: number, into: FlowKey): void {
    copyAddress(into, KEY_SOURCE, this.words, row);
    copyAddress(into, KEY_DESTINATION, this.words, row + ROW6_DESTINATION);
    into[KEY_PORTS] = this.words[row + ROW6_PORTS]!;
    into[KEY_PROTOCOL] = this.words[row + ROW6_TAG]! & TAG_PROTOCOL;
  }

  override loadTranslation(row: number, into: FlowKey): void {
    copyAddress(into, KEY_SOURCE, this.words, row + ROW6_NEW_SOURCE);
    copyAddress(into, KEY_DESTINATION, this.words, row + ROW6_NEW_DESTINATION);
    into[KEY_PORTS] = this.words[row + ROW6_NEW_PORTS]!;
    into[KEY_PROTOCOL] = this.words[row + ROW6_TAG]! & TAG_PROTOCOL;
  }

  override storeTranslation(row: number, translated: FlowKey): void {
    const words = this.words;
    let delta = delta32(words[row + ROW6_PORTS]!, translated[KEY_PORTS]!);
    // Source and destination lie side by side in row and key alike.
    for (let word = 0; word < 2 * ADDRESS_WORDS; word++) {
      delta = fold(delta + delta32(words[row + word]!, translated[KEY_SOURCE + word]!));
    }
    copyAddress(words, row + ROW6_NEW_SOURCE, translated, KEY_SOURCE);
    copyAddress(words, row + ROW6_NEW_DESTINATION, translated, KEY_DESTINATION);
    words[row + ROW6_NEW_PORTS] = translated[KEY_PORTS]!;
    words[row + ROW6_DELTA] = delta;
  }

  override peer(row: number): number {
    this.loadTranslation(row, this.#scratch);
    const peer = this.#findReverse(this.#scratch);
    if (peer !== NO_ROW) return peer;
    this.loadKey(row, this.#scratch);
    return this.#findReverse(this.#scratch);
  }

  #findReverse(key: FlowKey): number {
    reverseKey(this.#peerKey, key);
    return this.findKey(this.hashKey(this.#peerKey), this.#peerKey);
  }

  protected override storeKey(row: number, key: FlowKey): void {
    copyAddress(this.words, row, key, KEY_SOURCE);
    copyAddress(this.words, row + ROW6_DESTINATION, key, KEY_DESTINATION);
    this.words[row + ROW6_PORTS] = key[KEY_PORTS]!;
  }

  protected override rowHash(row: number): number {
    return flowHash6(this.#k0, this.#k1, this.words, row, this.words[row + ROW6_TAG]! & TAG_PROTOCOL);
  }
}

/** Zeroed memory for a table that no kernel shares. */
export function flowTable6Memory(rows: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(rows * ROW6_BYTES));
}
