/**
 * The flow tables as their contract words them, slow and plain: the twin that the BPF lookup and the workers' tables are
 * held against. HalfSipHash-1-3 as in native/bpf/flow_hash.h, written from the paper.
 */
import { octets } from "./frames.ts";
import { mapped } from "./packets.ts";

/** Words of a row, and the tag's place in it: behind the key. */
const SHAPE_OF_FAMILY = { 4: { rowWords: 16, tag: 3 }, 6: { rowWords: 32, tag: 9 } } as const;
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

function familyOf(key: FlowKey): 4 | 6 {
  return key.source.includes(":") ? 6 : 4;
}

/** The first words of a row: the bytes as on the wire, loaded little-endian. */
function wireWords(key: FlowKey): number[] {
  const addressOf = (text: string) => (familyOf(key) === 4 ? octets(text) : mapped(text));
  const bytes = Uint8Array.of(...addressOf(key.source), ...addressOf(key.destination), 0, 0, 0, 0);
  const view = new DataView(bytes.buffer);
  view.setUint16(bytes.length - 4, key.sourcePort);
  view.setUint16(bytes.length - 2, key.destinationPort);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getInt32(i * 4, true));
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
  for (const message of [...words, ((words.length * 4 + 1) << 24) | protocol]) {
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
  const { rowWords, tag } = SHAPE_OF_FAMILY[familyOf(key)];
  const words = wireWords(key);
  const mask = table.length / rowWords - 1;
  const home = referenceFlowHash(hashKey, words, key.protocol) & mask;
  const row = (distance: number) => ((home + distance) & mask) * rowWords;
  let distance = fields.distance ?? 0;
  while (fields.distance === undefined && (table[row(distance) + tag]! & LIVE) !== 0) distance++;
  for (let passed = 0; passed < distance; passed++) table[row(passed) + tag]! += ONE_OVERFLOW;
  table.set(words, row(distance));
  const flags = (fields.live ? LIVE : 0) | (fields.claimed ? CLAIMED : 0) | (fields.reply ? REPLY : 0);
  table[row(distance) + tag]! = (table[row(distance) + tag]! & (0xff << 24)) | flags | key.protocol;
  return { home, distance };
}
