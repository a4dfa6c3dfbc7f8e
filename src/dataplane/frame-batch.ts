/**
 * A batch of frames on their way through the pipeline: columns, not objects. The worker (or replay) that owns it fills
 * `offset`, `length` and `port`, the pipeline fills the rest. A frame has one owner at any time: from `receive` to
 * `transmit` or recycling, that is the batch.
 */

export const Verdict = { Drop: 0, Transmit: 1, Reply: 2, Pass: 3 } as const;

/** What the first pass has found a frame to be. */
export const FrameKind = {
  Done: 0,
  Flow4: 1,
  Flow6: 2,
  Arp: 3,
  Icmp4: 4,
  Icmp6: 5,
  FirstFragment4: 6,
  FirstFragment6: 7,
  LaterFragment4: 8,
  LaterFragment6: 9,
  Tunnel: 10,
  /** IPv4 with TCP or UDP, without options, fragments or tags: fast-path.ts. Of its columns only the hash is filled in. */
  Plain: 11,
} as const;

/** Frames grow at their front (DSR options, tunnels): so many bytes before each frame are the pipeline's to use. AF_XDP leaves them. */
export const FRAME_HEADROOM_BYTES = 256;

export class FrameBatch {
  readonly capacity: number;
  count = 0;
  /** Byte offset of the frame's first byte in the frame memory. The pipeline moves it when the frame grows or shrinks. */
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

  /** Which policy has decided about the flow that the frame opens or would have opened: its number, from 1. Only */
  readonly policy: Uint8Array;
  /** set where one was asked, as are its answer (an `AnswerKind`) */
  readonly answer: Uint8Array;
  /** and which of its reasons it denied for, from 1. For those who trace: who doesn't, never clears them. */
  readonly answerReason: Uint8Array;

  /** Between the pipeline's passes: what the second is to do, a `FrameKind`. */
  readonly kind: Uint8Array;
  /** Between the pipeline's passes: the transport protocol, */
  readonly protocol: Uint8Array;
  /** offset of the IP header, */
  readonly network: Int32Array;
  /** of a fragment's IPv4 header or IPv6 fragment header, */
  readonly fragment: Int32Array;
  /** of the transport header, */
  readonly transport: Int32Array;
  /** offset past the IP packet's last byte (padding may follow), */
  readonly end: Int32Array;
  /** the priorities of its two VLAN tags, where its port has tags (wire/vlan.ts), */
  readonly priority: Uint8Array;
  /** and the flow hash. */
  readonly hash: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.offset = words(capacity);
    this.length = words(capacity);
    this.port = octets(capacity);
    this.verdict = octets(capacity);
    this.egress = octets(capacity);
    this.reason = octets(capacity);
    this.policy = octets(capacity);
    this.answer = octets(capacity);
    this.answerReason = octets(capacity);
    this.kind = octets(capacity);
    this.protocol = octets(capacity);
    this.network = words(capacity);
    this.fragment = words(capacity);
    this.transport = words(capacity);
    this.end = words(capacity);
    this.priority = octets(capacity);
    this.hash = words(capacity);
  }

  /** Makes it a batch of one frame; the arguments are what its owner fills in. */
  holdOne(offset: number, length: number, port: number): void {
    this.count = 1;
    this.offset[0] = offset;
    this.length[0] = length;
    this.port[0] = port;
  }
}

/** Over a buffer of its own: a small typed array without one lives on the heap, where the compiler can't know its base. */
function words(count: number): Int32Array {
  return new Int32Array(new ArrayBuffer(count * 4));
}

function octets(count: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(count));
}
