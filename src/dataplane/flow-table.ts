/**
 * The one flow table: conntrack and NAT of every worker and, through the same memory, of the kernel's BPF programs. One
 * table per family; this file has what they share, flow-table4.ts and flow-table6.ts the rows.
 *
 * Open addressing over fixed rows of whole cache lines, keyed by raw words (wire/raw.ts). In production the memory is a
 * BPF array map with BPF_F_MMAPABLE, mapped by each worker; tests and `sluice replay` use a SharedArrayBuffer.
 *
 *   tag   | overflow 8 | LOCKED 1 | generation 11 | OFFLOADED 1 | REPLY 1 | CLAIMED 1 | LIVE 1 | protocol 8 |
 *
 * A flow has two rows, one for each direction, so a frame needs one lookup whichever way it goes.
 *
 * Probing: from the home slot (hash & mask) at most 64 slots on. `overflow` counts the live rows that were placed past
 * this slot because it was taken; a probe ends at a row that doesn't match and has overflow 0. So a miss is as cheap as
 * a hit, and a withdrawn row leaves nothing behind that would have to be cleaned (no tombstones).
 *
 * Who writes what: TypeScript writes all words, and the XDP program those of flows that it opens (native/bpf/new_row.h). Of
 * a row that is OFFLOADED the kernel's programs write too: they add to the counters and the TCP flags and set last seen,
 * and so the workers do it by atomic additions there.
 *
 * A row is claimed by compare-and-swap on its tag, filled, and published last by setting LIVE. A withdrawn row is not
 * claimed again for `GRACE_SECONDS`: a reader that found it just before has long moved on, so nobody ever reads a
 * half-written translation, and the hot path needs no second look at the tag.
 *
 * Two workers may open one flow at once, when its frames come in by two queues. Whoever opens holds the lock of the key's
 * home slot meanwhile (LOCKED in the tag of that slot, whatever row lies there), so the other one finds what the first has
 * opened. Lookups do not mind the lock. It is taken from a holder that stands still or has died: after tens of milliseconds
 * by a worker, after a tenth of a second by the XDP program. So whoever has published a request row looks whether it is the
 * only one of its key: a holder that goes on later finds what has been opened meanwhile, and withdraws its own.
 */
import type { BackendLoad } from "./backend-load.ts";
import type { FlowEndLog } from "./flow-end-log.ts";
import type { FlowKey } from "./flow-key.ts";
import type { FrameBatch } from "./frame-batch.ts";
import { STATE_CLOCK_SHIFT, STATE_POLICY_SHIFT, STATE_WATCHED, stateOfNewRow } from "./state-word.ts";

/**
 * Length of the probe window. At half load most probes end after two slots; a window of 16 would refuse one flow in ten
 * thousand then, one of 64 none that was ever seen (bench/pipeline).
 */
export const PROBE_LIMIT = 64;
/** Far longer than any batch takes, far shorter than a human notices. */
export const GRACE_SECONDS = 2;

export const TAG_PROTOCOL = 0xff;
export const TAG_LIVE = 1 << 8;
export const TAG_CLAIMED = 1 << 9;
export const TAG_REPLY = 1 << 10;
export const TAG_MATCH = TAG_LIVE | TAG_PROTOCOL;
export const TAG_OVERFLOW = 0xff << 24;
/** The kernel forwards the frames of this row; see offload.ts. */
export const TAG_OFFLOADED = 1 << 11;
const TAG_GENERATION_ONE = 1 << 12;
const TAG_GENERATION = 0x7ff << 12;
const TAG_LOCKED = 1 << 23;
const TAG_OVERFLOW_ONE = 1 << 24;

/**
 * A lock is held for about a microsecond, or for a time slice when its holder is preempted. Whoever has tried so often, tens
 * of milliseconds, takes it: its holder has died.
 */
const LOCK_ATTEMPTS = 1 << 21;

/** `find` and `claim` answer with the index of the row's first word, or with this. */
export const NO_ROW = -1;

/** Where a row has what both families have: word offsets. Counters are two words each, low first. */
interface RowLayout {
  readonly words: number;
  readonly tag: number;
  /** Way out: egress.ts. */
  readonly egress: number;
  /** VIP id << 16 | backend id. */
  readonly owner: number;
  /** What the direction has shown, and what was noted at its opening: state-word.ts. */
  readonly state: number;
  /** Seconds of the monotonic clock. */
  readonly lastSeen: number;
  readonly packets: number;
  readonly bytes: number;
}

export abstract class FlowTable {
  readonly words: Int32Array;
  /** Rows, a power of two. */
  readonly capacity: number;
  readonly layout: RowLayout;
  /** Counts the live request rows of each backend. */
  readonly load: BackendLoad;
  /** Where ends of flows are noted; `null` while nobody wants to know. */
  ends: FlowEndLog | null = null;
  protected readonly mask: number;
  /** Where `touchAll` leaves what it has read: the compiler would leave out a load whose value nobody uses. */
  protected readonly touched = new Int32Array(new ArrayBuffer(4));
  readonly #rowWords: number;
  readonly #tag: number;

  /** @param words zeroed shared memory of a power of two of rows. */
  constructor(words: Int32Array, layout: RowLayout, load: BackendLoad) {
    const capacity = words.length / layout.words;
    if (capacity < PROBE_LIMIT || (capacity & (capacity - 1)) !== 0) {
      throw new RangeError(`a flow table has a power of two of rows, at least ${PROBE_LIMIT}; got ${capacity}`);
    }
    this.words = words;
    this.capacity = capacity;
    this.layout = layout;
    this.load = load;
    this.mask = capacity - 1;
    this.#rowWords = layout.words;
    this.#tag = layout.tag;
  }

  abstract hashKey(key: FlowKey): number;
  /**
   * Reads the home rows of a batch's frames, at the end of its first pass: that brings them into the cache. In a loop so
   * short that the processor waits for many rows at once: it looks a few hundred instructions ahead, which between two
   * touches would otherwise be one frame's headers. At a million flows a packet costs a third of what it did with a touch
   * beside each hash (bench/pipeline).
   */
  abstract touchAll(batch: FrameBatch): void;
  /** The live row of a key, as the index of its first word, or `NO_ROW`. */
  abstract findKey(hash: number, key: FlowKey): number;
  /** Whether a row is live and has a key. */
  abstract hasKey(row: number, key: FlowKey): boolean;
  /** Reads the key of a row. */
  abstract loadKey(row: number, into: FlowKey): void;
  /** Reads what a row's frames become: the key as it is after translation. */
  abstract loadTranslation(row: number, into: FlowKey): void;
  /** Writes what a row's frames become, and the checksum deltas that follow from both keys. */
  abstract storeTranslation(row: number, translated: FlowKey): void;
  protected abstract storeKey(row: number, key: FlowKey): void;
  protected abstract rowHash(row: number): number;
  /**
   * The row of the other direction of the flow that `row` belongs to, or `NO_ROW`. That is the one whose frames look
   * like this row's after translation, turned round; or, where another node has translated the request (DSR, received),
   * like this row's before.
   */
  abstract peer(row: number): number;

  /**
   * Claims a free row for a key and fills in the key; the caller stores translation, egress and owner, then publishes.
   * @param reply 0 for the request direction, TAG_REPLY for the other.
   * @returns the row, or `NO_ROW` when all slots of the probe window are taken.
   */
  claim(hash: number, key: FlowKey, protocol: number, reply: number, now: number): number {
    const { words, mask, layout } = this;
    const home = hash & mask;
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const row = ((home + probe) & mask) * this.#rowWords;
      if (!this.#claimSlot(row, protocol | reply, now)) continue;
      for (let passed = 0; passed < probe; passed++) {
        Atomics.add(words, ((home + passed) & mask) * this.#rowWords + this.#tag, TAG_OVERFLOW_ONE);
      }
      this.storeKey(row, key);
      words[row + layout.state] = stateOfNewRow(now, reply !== 0);
      words[row + layout.lastSeen] = now;
      words[row + layout.packets] = 0;
      words[row + layout.packets + 1] = 0;
      words[row + layout.bytes] = 0;
      words[row + layout.bytes + 1] = 0;
      return row;
    }
    return NO_ROW;
  }

  /** Fills the rest of a claimed row and makes it visible. */
  complete(row: number, translated: FlowKey, egress: number, owner: number): void {
    this.storeTranslation(row, translated);
    this.words[row + this.layout.egress] = egress;
    this.words[row + this.layout.owner] = owner;
    if (!this.isReply(row)) this.load.opened(owner);
    this.publish(row);
  }

  /** Makes a claimed row visible to every reader. */
  publish(row: number): void {
    Atomics.xor(this.words, row + this.#tag, TAG_LIVE | TAG_CLAIMED);
  }

  /** Takes back a claim that was never published. */
  abandon(row: number): void {
    this.#release(row, TAG_CLAIMED);
  }

  /**
   * Ends a live row: from now on nobody finds it. Only one caller wins when several try.
   * @returns whether this call ended it.
   */
  withdraw(row: number, now: number): boolean {
    this.words[row + this.layout.lastSeen] = now;
    if (!this.#release(row, TAG_LIVE)) return false;
    if (!this.isReply(row)) this.load.ended(this.words[row + this.layout.owner]!);
    return true;
  }

  /** Counts a frame of a row, away from the hot path. */
  countFrame(row: number, length: number, now: number): void {
    const { words, layout } = this;
    words[row + layout.lastSeen] = now;
    addToCounter(words, row + layout.packets, 1);
    addToCounter(words, row + layout.bytes, length);
  }

  /**
   * Counts a frame of a row that only this worker writes: one that is not OFFLOADED.
   * @returns whether it was the row's first frame (or one in 2^32 others).
   */
  countOwn(row: number, length: number, now: number): boolean {
    const { words, layout } = this;
    const packets = row + layout.packets;
    const bytes = row + layout.bytes;
    // Not written when it stays the same: of a direction that has moved its line may be in another core's cache.
    if (words[row + layout.lastSeen] !== now) words[row + layout.lastSeen] = now;
    const count = (words[packets]! + 1) | 0;
    words[packets] = count;
    if (count === 0) words[packets + 1]!++;
    const before = words[bytes]!;
    const after = (before + length) | 0;
    words[bytes] = after;
    if (before < 0 && after >= 0) words[bytes + 1]!++;
    return count === 1;
  }

  /** Leaves the row's frames to the kernel, for as long as it lives. */
  offload(row: number): void {
    Atomics.or(this.words, row + this.#tag, TAG_OFFLOADED);
  }

  isOffloaded(row: number): boolean {
    return (this.words[row + this.#tag]! & TAG_OFFLOADED) !== 0;
  }

  /** Adds the TCP flags of a frame to those that the row has seen. */
  addFlags(row: number, flags: number): void {
    Atomics.or(this.words, row + this.layout.state, flags);
  }

  /** Notes which policy decided about the flow of a request row: its number, from 1. */
  markPolicy(row: number, policy: number): void {
    Atomics.or(this.words, row + this.layout.state, policy << STATE_POLICY_SHIFT);
  }

  /** Notes in the claimed reply row of a translated flow what clock its client has. */
  markClock(reply: number, clock: number): void {
    this.words[reply + this.layout.state]! |= clock << STATE_CLOCK_SHIFT;
  }

  clockOf(reply: number): number {
    return this.words[reply + this.layout.state]! >>> STATE_CLOCK_SHIFT;
  }

  /** All frames of the flow are to be seen: noted in its request row. */
  markWatched(row: number): void {
    Atomics.or(this.words, row + this.layout.state, STATE_WATCHED);
  }

  isWatched(request: number): boolean {
    return (this.words[request + this.layout.state]! & STATE_WATCHED) !== 0;
  }

  /** The number of the policy that decided; 0 for none. */
  policyOf(row: number): number {
    return this.words[row + this.layout.state]! >>> STATE_POLICY_SHIFT;
  }

  /** Waits until nobody else opens a flow whose key has this hash's home. */
  lock(hash: number): void {
    const tag = this.slot(hash, 0) + this.#tag;
    for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
      if ((Atomics.or(this.words, tag, TAG_LOCKED) & TAG_LOCKED) === 0) return;
    }
  }

  unlock(hash: number): void {
    Atomics.and(this.words, this.slot(hash, 0) + this.#tag, ~TAG_LOCKED);
  }

  /** The row that a probe looks at in its turn, as the index of its first word. */
  slot(hash: number, probe: number): number {
    return ((hash + probe) & this.mask) * this.#rowWords;
  }

  /** How many slots a row lies behind the home of its hash. */
  distance(row: number, hash: number): number {
    return (row / this.#rowWords - hash) & this.mask;
  }

  /**
   * Another live row that has the key of a live one, or `NO_ROW`. Of two workers that publish the same key at once and ask
   * then, one at least finds the other's.
   */
  twin(row: number, hash: number, key: FlowKey): number {
    for (let probe = 0; probe < PROBE_LIMIT; probe++) {
      const other = this.slot(hash, probe);
      if (other !== row && this.hasKey(other, key)) return other;
      if ((Atomics.load(this.words, other + this.#tag) & TAG_OVERFLOW) === 0) return NO_ROW;
    }
    return NO_ROW;
  }

  /** Frees all locks: for when whoever may have held one is dead. */
  unlockAll(): void {
    for (let tag = this.#tag; tag < this.words.length; tag += this.#rowWords) {
      if ((this.words[tag]! & TAG_LOCKED) !== 0) Atomics.and(this.words, tag, ~TAG_LOCKED);
    }
  }

  isLive(row: number): boolean {
    return (this.words[row + this.#tag]! & TAG_LIVE) !== 0;
  }

  isReply(row: number): boolean {
    return (this.words[row + this.#tag]! & TAG_REPLY) !== 0;
  }

  #claimSlot(row: number, protocolAndDirection: number, now: number): boolean {
    const words = this.words;
    for (;;) {
      const tag = Atomics.load(words, row + this.#tag);
      if ((tag & (TAG_LIVE | TAG_CLAIMED)) !== 0) return false;
      const generation = tag & TAG_GENERATION;
      if (generation !== 0 && now - words[row + this.layout.lastSeen]! < GRACE_SECONDS) return false;
      // Generation 0 is kept for rows that were never used; it wraps to 1.
      const next = (generation + TAG_GENERATION_ONE) & TAG_GENERATION || TAG_GENERATION_ONE;
      const claimed = (tag & (TAG_OVERFLOW | TAG_LOCKED)) | next | TAG_CLAIMED | protocolAndDirection;
      if (Atomics.compareExchange(words, row + this.#tag, tag, claimed) === tag) return true;
    }
  }

  #release(row: number, held: number): boolean {
    const words = this.words;
    if ((Atomics.and(words, row + this.#tag, ~held) & held) === 0) return false;
    const home = this.rowHash(row) & this.mask;
    const distance = (row / this.#rowWords - home) & this.mask;
    for (let passed = 0; passed < distance; passed++) {
      Atomics.sub(words, ((home + passed) & this.mask) * this.#rowWords + this.#tag, TAG_OVERFLOW_ONE);
    }
    return true;
  }
}

/** 64-bit counter of a row, exact to 2^53. */
export function rowCounter(words: Int32Array, index: number): number {
  return (words[index]! >>> 0) + (words[index + 1]! >>> 0) * 0x100000000;
}

/** Atomic: the kernel may be adding too. Its additions are of 64 bits, whose carries go the same way. */
function addToCounter(words: Int32Array, index: number, amount: number): void {
  const before = Atomics.add(words, index, amount);
  if (before < 0 && ((before + amount) | 0) >= 0) Atomics.add(words, index + 1, 1);
}
