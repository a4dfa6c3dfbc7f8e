/**
 * A batch of frames on their way through the pipeline: columns, not objects. The worker (or replay) that owns it fills
 * `offset`, `length` and `port`, the pipeline fills the rest. A frame has one owner at any time: from `receive` to
 * `transmit` or recycling, that is the batch.
 */

export const Verdict = { Drop: 0, Transmit: 1, Reply: 2, Pass: 3 } as const;

export class FrameBatch {
  readonly capacity: number;
  count = 0;
  /** Byte offset of the frame's first byte in the frame memory. */
  readonly offset: Int32Array;
  /** Bytes, Ethernet header included, frame check sequence not. The pipeline changes it when it changes the frame. */
  readonly length: Int32Array;
  /** Id of the port that the frame came in by. */
  readonly port: Uint8Array;
  /** What to do with it: a `Verdict`. */
  readonly verdict: Uint8Array;
  /** Id of the port that it leaves by, when the verdict is Transmit or Reply. */
  readonly egress: Uint8Array;
  /** A `DropReason` when the verdict is Drop or Pass. */
  readonly reason: Uint8Array;

  /** Between the pipeline's passes: flow hash. */
  readonly hash: Int32Array;
  /** Between the pipeline's passes: offset of the transport header, or one of the pipeline's markers below zero. */
  readonly transport: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.offset = new Int32Array(capacity);
    this.length = new Int32Array(capacity);
    this.port = new Uint8Array(capacity);
    this.verdict = new Uint8Array(capacity);
    this.egress = new Uint8Array(capacity);
    this.reason = new Uint8Array(capacity);
    this.hash = new Int32Array(capacity);
    this.transport = new Int32Array(capacity);
  }
}
