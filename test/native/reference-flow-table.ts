/**
 * The flow table as its contract words it, slow and plain: the twin that the BPF lookup and the workers' table are held
 * against. HalfSipHash-1-3 as in native/bpf/flow_lookup.h, written from the paper.
 */
import { octets } from "./frames.ts";

const ROW_WORDS = 16;
const TAG = 3;
const LIVE = 1 << 8;
const CLAIMED = 1 << 9;
const REPLY = 1 << 10;
const ONE_OVERFLOW = 1 << 24;

export interface FlowKey {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly protocol: number;
}

export interface RowFields {
  readonly live: boolean;
  readonly claimed?: boolean;
  readonly reply: boolean;
  /** Slots past home to place the row at; default: the first free one. */
  readonly distance?: number;
}

export interface HashKey {
  readonly k0: number;
  readonly k1: number;
}

/** Words 0..2 of a row: the bytes as on the wire, loaded little-endian. */
function wireWords(key: FlowKey): [number, number, number] {
  const bytes = new Uint8Array(12);
  bytes.set(octets(key.source), 0);
  bytes.set(octets(key.destination), 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(8, key.sourcePort);
  view.setUint16(10, key.destinationPort);
  return [view.getInt32(0, true), view.getInt32(4, true), view.getInt32(8, true)];
}

export function referenceFlowHash(hashKey: HashKey, words: readonly number[], protocol: number): number {
  const rotate = (value: number, bits: number) => (value << bits) | (value >>> (32 - bits));
  let v0 = hashKey.k0 | 0;
  let v1 = hashKey.k1 | 0;
  let v2 = 0x6c796765 ^ hashKey.k0;
  let v3 = 0x74656462 ^ hashKey.k1;
  const round = () => {
    v0 = (v0 + v1) | 0;
    v1 = rotate(v1, 5) ^ v0;
    v0 = rotate(v0, 16);
    v2 = (v2 + v3) | 0;
    v3 = rotate(v3, 8) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = rotate(v3, 7) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = rotate(v1, 13) ^ v2;
    v2 = rotate(v2, 16);
  };
  for (const message of [...words, (13 << 24) | protocol]) {
    v3 ^= message;
    round();
    v0 ^= message;
  }
  v2 ^= 0xff;
  round();
  round();
  round();
  return (v1 ^ v3) >>> 0;
}

export function clearFlows(table: Int32Array): void {
  table.fill(0);
}

/** Writes the row of a key at its home slot or behind it, raising the overflow count of each slot it passes. */
export function writeRow(
  table: Int32Array,
  hashKey: HashKey,
  key: FlowKey,
  fields: RowFields,
): { home: number; distance: number } {
  const words = wireWords(key);
  const mask = table.length / ROW_WORDS - 1;
  const home = referenceFlowHash(hashKey, words, key.protocol) & mask;
  const row = (distance: number) => ((home + distance) & mask) * ROW_WORDS;
  let distance = fields.distance ?? 0;
  while (fields.distance === undefined && (table[row(distance) + TAG]! & LIVE) !== 0) distance++;
  for (let passed = 0; passed < distance; passed++) table[row(passed) + TAG]! += ONE_OVERFLOW;
  table.set(words, row(distance));
  const flags = (fields.live ? LIVE : 0) | (fields.claimed ? CLAIMED : 0) | (fields.reply ? REPLY : 0);
  table[row(distance) + TAG]! = (table[row(distance) + TAG]! & (0xff << 24)) | flags | key.protocol;
  return { home, distance };
}
