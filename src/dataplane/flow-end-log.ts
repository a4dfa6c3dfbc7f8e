/**
 * Notes of flows that have ended, from one thread to the one that reads them: a ring in shared memory. When it is full
 * notes are lost and counted: whoever ends flows never waits.
 *
 *   ring    | written | read | lost | reserved | note | note | ...
 *   note    | listeners | protocol, reason << 8 | seconds | ports as the client sent them (raw) | VIP id | backend port (raw)
 *           | client 4 | VIP 4 | backend 4 | packets of requests 2 | bytes 2 | packets of replies 2 | bytes 2 |
 *
 * Only flows of VIPs in which somebody has an interest are noted: `listeners` has a word of bits for each VIP id.
 */
import { copyAddress } from "../wire/raw.ts";
import type { FlowEnd } from "./flow-end.ts";
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, newFlowKey } from "./flow-key.ts";
import { type FlowTable, NO_ROW, rowCounter, TAG_PROTOCOL } from "./flow-table.ts";
import { ageSeconds } from "./state-word.ts";

const WRITTEN = 0;
const READ = 1;
const LOST = 2;
const HEADER_WORDS = 4;

/** Words of a note. */
export const END_LISTENERS = 0;
export const END_PROTOCOL = 1;
export const END_SECONDS = 2;
export const END_PORTS = 3;
export const END_VIP_ID = 4;
export const END_BACKEND_PORT = 5;
export const END_CLIENT = 6;
export const END_VIP = 10;
export const END_BACKEND = 14;
export const END_REQUESTS = 18;
export const END_REPLIES = 22;
const NOTE_WORDS = 26;

/** Some tenths of a second of the flows that a worker can open. */
const NOTES = 1 << 14;
const VIP_IDS = 1 << 16;

/** What a thread needs to note ends. */
export interface FlowEndMemory {
  readonly ring: Int32Array;
  readonly listeners: Int32Array;
}

export function flowEndRing(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * (HEADER_WORDS + NOTES * NOTE_WORDS)));
}

/** By VIP id the bits of those who want to know. */
export function flowEndListeners(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * VIP_IDS));
}

/** The writing side: one for each thread that ends flows. */
export class FlowEndLog {
  readonly #ring: Int32Array;
  readonly #listeners: Int32Array;
  readonly #key: FlowKey = newFlowKey();

  constructor({ ring, listeners }: FlowEndMemory) {
    this.#ring = ring;
    this.#listeners = listeners;
  }

  /** @param reply the other row of the flow, or `NO_ROW`. @param lastSeen seconds. */
  note(flows: FlowTable, request: number, reply: number, reason: FlowEnd, lastSeen: number): void {
    const { words, layout } = flows;
    const owner = words[request + layout.owner]!;
    const listeners = this.#listeners[owner >>> 16]!;
    if (listeners === 0) return;
    const ring = this.#ring;
    const written = ring[WRITTEN]!;
    if (((written - Atomics.load(ring, READ)) | 0) >= NOTES) {
      ring[LOST]! += 1;
      return;
    }
    const note = HEADER_WORDS + (written & (NOTES - 1)) * NOTE_WORDS;
    ring[note + END_LISTENERS] = listeners;
    ring[note + END_PROTOCOL] = (words[request + layout.tag]! & TAG_PROTOCOL) | (reason << 8);
    const back = reply === NO_ROW ? null : words[reply + layout.state]!;
    ring[note + END_SECONDS] = ageSeconds(words[request + layout.state]!, back, lastSeen);
    ring[note + END_VIP_ID] = owner >>> 16;
    flows.loadKey(request, this.#key);
    ring[note + END_PORTS] = this.#key[KEY_PORTS]!;
    copyAddress(ring, note + END_CLIENT, this.#key, KEY_SOURCE);
    copyAddress(ring, note + END_VIP, this.#key, KEY_DESTINATION);
    flows.loadTranslation(request, this.#key);
    copyAddress(ring, note + END_BACKEND, this.#key, KEY_DESTINATION);
    ring[note + END_BACKEND_PORT] = this.#key[KEY_PORTS]! >>> 16;
    for (let word = 0; word < 4; word++) {
      ring[note + END_REQUESTS + word] = words[request + layout.packets + word]!;
      ring[note + END_REPLIES + word] = reply === NO_ROW ? 0 : words[reply + layout.packets + word]!;
    }
    Atomics.store(ring, WRITTEN, written + 1);
  }
}

/** The reading side of one ring. */
export class FlowEndReader {
  /** Notes lie in it. */
  readonly words: Int32Array;

  constructor(ring: Int32Array) {
    this.words = ring;
  }

  /** How many notes were lost since the beginning. */
  get lost(): number {
    return this.words[LOST]!;
  }

  /** Where the oldest note begins, -1 when there is none; it stays until `release`. */
  peek(): number {
    const read = this.words[READ]!;
    if (Atomics.load(this.words, WRITTEN) === read) return -1;
    return HEADER_WORDS + (read & (NOTES - 1)) * NOTE_WORDS;
  }

  /** The oldest note is done with. */
  release(): void {
    Atomics.store(this.words, READ, this.words[READ]! + 1);
  }
}

/** A counter of a note, `END_REQUESTS` or `END_REPLIES`; bytes are two words behind packets. */
export function noteCounter(words: Int32Array, at: number): number {
  return rowCounter(words, at);
}
