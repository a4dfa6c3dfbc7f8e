/**
 * The worker's side of a trace: keeps what a batch's frames are before the pipeline rewrites them, and afterwards writes
 * those that somebody wants to see into the ring. There is one only while somebody looks; without it a batch costs the
 * worker one comparison.
 */
import { type FrameBatch, Verdict } from "../dataplane/frame-batch.ts";
import { mayMatch, type WorkerFilter } from "./frame-filter.ts";
import {
  RECORD_ANSWER,
  RECORD_ANSWER_REASON,
  RECORD_BYTES,
  RECORD_EGRESS,
  RECORD_KEPT_IN,
  RECORD_KEPT_OUT,
  RECORD_LENGTH_IN,
  RECORD_LENGTH_OUT,
  RECORD_POLICY,
  RECORD_PORT,
  RECORD_REASON,
  RECORD_TIME,
  RECORD_VERDICT,
} from "./frame-record.ts";
import { TraceRing } from "./trace-ring.ts";

/** What is traced, as it crosses threads. */
export interface TraceOrder {
  readonly ring: SharedArrayBuffer;
  /** Bytes kept of each frame, at most 65535. */
  readonly snapBytes: number;
  /** A frame that one of them wants is traced. */
  readonly filters: readonly WorkerFilter[];
}

const NOTHING = new Uint8Array();

export class FrameTracer {
  readonly #ring: TraceRing;
  readonly #filters: readonly WorkerFilter[];
  readonly #snapBytes: number;
  readonly #frames: Uint8Array;
  readonly #batch: FrameBatch;
  /** The frames as they came in: one row of `#snapBytes` each, */
  readonly #kept: Uint8Array;
  /** and their lengths. */
  readonly #lengths: Int32Array;

  /** @param frames the frame memory that the batch's offsets point into. */
  constructor(order: TraceOrder, batch: FrameBatch, frames: Uint8Array) {
    this.#ring = new TraceRing(order.ring);
    this.#filters = order.filters;
    this.#snapBytes = order.snapBytes;
    this.#frames = frames;
    this.#batch = batch;
    this.#kept = new Uint8Array(batch.capacity * order.snapBytes);
    this.#lengths = new Int32Array(batch.capacity);
  }

  /** Before the pipeline gets the batch. */
  before(): void {
    const { batch, snap } = { batch: this.#batch, snap: this.#snapBytes };
    for (let i = 0; i < batch.count; i++) {
      const [offset, length] = [batch.offset[i]!, batch.length[i]!];
      this.#lengths[i] = length;
      this.#kept.set(this.#frames.subarray(offset, offset + Math.min(length, snap)), i * snap);
      batch.policy[i] = 0;
    }
  }

  /** When every frame has its verdict, and is still in place. @param nanoseconds of the monotonic clock. */
  after(nanoseconds: number): void {
    const batch = this.#batch;
    for (let i = 0; i < batch.count; i++) {
      const verdict = batch.verdict[i]!;
      const isStopped = verdict === Verdict.Drop || verdict === Verdict.Pass;
      const reason = isStopped ? batch.reason[i]! : 0;
      const at = i * this.#snapBytes;
      const before = this.#kept.subarray(at, at + Math.min(this.#lengths[i]!, this.#snapBytes));
      const [offset, length] = [batch.offset[i]!, isStopped ? 0 : batch.length[i]!];
      const after = isStopped ? NOTHING : this.#frames.subarray(offset, offset + Math.min(length, this.#snapBytes));
      if (!this.#filters.some((filter) => mayMatch(filter, verdict, reason, before, after))) continue;
      this.#write(i, nanoseconds, reason, before, after, length);
    }
  }

  #write(i: number, nanoseconds: number, reason: number, before: Uint8Array, after: Uint8Array, length: number): void {
    const batch = this.#batch;
    const { bytes, view } = this.#ring;
    const at = this.#ring.reserve(RECORD_BYTES + before.length + after.length);
    if (at < 0) return;
    bytes[at + RECORD_PORT] = batch.port[i]!;
    bytes[at + RECORD_EGRESS] = batch.egress[i]!;
    bytes[at + RECORD_VERDICT] = batch.verdict[i]!;
    bytes[at + RECORD_REASON] = reason;
    bytes[at + RECORD_POLICY] = batch.policy[i]!;
    bytes[at + RECORD_ANSWER] = batch.answer[i]!;
    bytes[at + RECORD_ANSWER_REASON] = batch.answerReason[i]!;
    view.setFloat64(at + RECORD_TIME, nanoseconds, true);
    view.setUint32(at + RECORD_LENGTH_IN, this.#lengths[i]!, true);
    view.setUint32(at + RECORD_LENGTH_OUT, length, true);
    view.setUint16(at + RECORD_KEPT_IN, before.length, true);
    view.setUint16(at + RECORD_KEPT_OUT, after.length, true);
    bytes.set(before, at + RECORD_BYTES);
    bytes.set(after, at + RECORD_BYTES + before.length);
    this.#ring.commit();
  }
}
