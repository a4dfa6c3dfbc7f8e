/**
 * A frame in a trace ring: as it came in, as it went on, and what was decided. Little-endian, from the record's start:
 *
 *   0 port  1 egress  2 verdict  3 reason  4 policy  5 answer  6 its reason, from 1  7 -
 *   8 time (nanoseconds of the monotonic clock, a double)
 *   16 length in  20 length out  24 bytes kept in  26 bytes kept out  28 frame in, frame out
 */
import type { TraceRing } from "./trace-ring.ts";

export const RECORD_PORT = 0;
export const RECORD_EGRESS = 1;
export const RECORD_VERDICT = 2;
export const RECORD_REASON = 3;
export const RECORD_POLICY = 4;
export const RECORD_ANSWER = 5;
export const RECORD_ANSWER_REASON = 6;
export const RECORD_TIME = 8;
export const RECORD_LENGTH_IN = 16;
export const RECORD_LENGTH_OUT = 20;
export const RECORD_KEPT_IN = 24;
export const RECORD_KEPT_OUT = 26;
export const RECORD_BYTES = 28;

/** One frame, whoever has decided about it. */
export interface FrameRecord {
  readonly by: "worker" | "kernel";
  readonly worker: number;
  /** Port ids; -1 when it is not known, or when the frame was not sent. */
  readonly port: number;
  readonly egress: number;
  /** A `Verdict`, */
  readonly verdict: number;
  /** and a `DropReason`. */
  readonly reason: number;
  /** Number of the policy that was asked when this frame came, from 1; 0 for none. */
  readonly policy: number;
  /** What it answered: an `AnswerKind`. */
  readonly answer: number;
  /** Which of the reasons that this worker has told of, from 1; 0 for none. */
  readonly answerReason: number;
  /** Of the monotonic clock. */
  readonly nanoseconds: number;
  /** The frame as it came in; empty when only what was sent on is known. */
  readonly before: Uint8Array;
  readonly beforeLengthBytes: number;
  /** The frame as it was sent; empty when it was not. */
  readonly after: Uint8Array;
  readonly afterLengthBytes: number;
}

/** Copies a record out of the ring. */
export function readFrameRecord({ bytes, view }: TraceRing, at: number, worker: number): FrameRecord {
  const keptIn = view.getUint16(at + RECORD_KEPT_IN, true);
  const keptOut = view.getUint16(at + RECORD_KEPT_OUT, true);
  const frame = at + RECORD_BYTES;
  return {
    by: "worker",
    worker,
    port: bytes[at + RECORD_PORT]!,
    egress: keptOut === 0 ? -1 : bytes[at + RECORD_EGRESS]!,
    verdict: bytes[at + RECORD_VERDICT]!,
    reason: bytes[at + RECORD_REASON]!,
    policy: bytes[at + RECORD_POLICY]!,
    answer: bytes[at + RECORD_ANSWER]!,
    answerReason: bytes[at + RECORD_ANSWER_REASON]!,
    nanoseconds: view.getFloat64(at + RECORD_TIME, true),
    before: bytes.slice(frame, frame + keptIn),
    beforeLengthBytes: view.getUint32(at + RECORD_LENGTH_IN, true),
    after: bytes.slice(frame + keptIn, frame + keptIn + keptOut),
    afterLengthBytes: view.getUint32(at + RECORD_LENGTH_OUT, true),
  };
}
