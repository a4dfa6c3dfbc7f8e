/**
 * An AF_XDP socket: one queue of one interface. It receives what a program redirects to it through an XSKMAP (put `fd`
 * there) and transmits past the queueing disciplines and tc hooks of the interface.
 *
 * Keep the object while its rings are in use: collected as garbage, it closes.
 */
import { type NativeRing, type NativeXsk, native } from "./native.ts";
import { CompletionRing, FillRing, type RingMemory, RxRing, TxRing } from "./ring.ts";
import type { Umem } from "./umem.ts";

/** `auto` takes zero-copy where the driver has it. The first socket of a Umem decides for those that share it. */
export type BindMode = "auto" | "copy" | "zerocopy";

export interface XskOptions {
  readonly interface: string;
  readonly queue: number;
  readonly bind?: BindMode;
  /**
   * Whether a packet may lie in several frames, one descriptor each (`PACKET_CONTINUES`). Without it, one that is too
   * long for a frame never arrives. The first socket of a Umem decides for those that share it.
   */
  readonly multiBuffer?: boolean;
  /** Slots of each ring: powers of two. */
  readonly rxSize?: number;
  readonly txSize?: number;
  readonly fillSize?: number;
  readonly completionSize?: number;
}

/** XDP_COPY and XDP_ZEROCOPY of linux/if_xdp.h; with neither the kernel tries zero-copy first. */
const BIND_FLAGS: Readonly<Record<BindMode, number>> = { auto: 0, copy: 1 << 1, zerocopy: 1 << 2 };
/** XDP_USE_SG, since Linux 6.6. */
const USE_MULTI_BUFFER = 1 << 4;

const EAGAIN = 11;
const EBUSY = 16;
const ENOBUFS = 105;

/** Indices into the array that `statistics` fills (struct xdp_statistics). */
export const XSK_STATISTICS = {
  rxDropped: 0,
  rxInvalidDescriptors: 1,
  txInvalidDescriptors: 2,
  rxRingFull: 3,
  fillRingEmpty: 4,
  txRingEmpty: 5,
} as const;

function memoryOf(ring: NativeRing, size: number): RingMemory {
  return { ...ring, size };
}

export class XskSocket {
  readonly interface: string;
  readonly queue: number;
  readonly fd: number;
  readonly zeroCopy: boolean;
  readonly rx: RxRing;
  readonly tx: TxRing;
  readonly fill: FillRing;
  readonly completion: CompletionRing;
  /** Why the last `kick` sent nothing, as an errno (ENETDOWN: the interface is down); 0 when it was all right. */
  kickErrno = 0;
  readonly #native: NativeXsk;
  #closed = false;

  constructor(umem: Umem, options: XskOptions) {
    const {
      bind = "auto",
      multiBuffer = false,
      rxSize = 2048,
      txSize = 2048,
      fillSize = 2048,
      completionSize = 2048,
    } = options;
    this.interface = options.interface;
    this.queue = options.queue;
    this.#native = new native.Xsk(
      umem.handle,
      options.interface,
      options.queue,
      BIND_FLAGS[bind] | (multiBuffer ? USE_MULTI_BUFFER : 0),
      umem.frameSize,
      umem.headroom,
      rxSize,
      txSize,
      fillSize,
      completionSize,
    );
    this.fd = this.#native.fd();
    this.zeroCopy = this.#native.zeroCopy();
    const [rx, tx, fill, completion] = this.#native.rings();
    this.rx = new RxRing(memoryOf(rx, rxSize));
    this.tx = new TxRing(memoryOf(tx, txSize));
    this.fill = new FillRing(memoryOf(fill, fillSize));
    this.completion = new CompletionRing(memoryOf(completion, completionSize));
  }

  /**
   * Makes the kernel send what was submitted to `tx`. Returns whether to call again for the rest: in copy mode one call
   * moves at most 32 frames. Never throws; `kickErrno` says what stood in the way.
   */
  kick(): boolean {
    if (this.#closed) return false;
    this.kickErrno = native.kick(this.fd);
    return this.kickErrno === EAGAIN || this.kickErrno === EBUSY || this.kickErrno === ENOBUFS;
  }

  /** The kernel's drop counters into six elements; `XSK_STATISTICS` names them. Allocates nothing. */
  statistics(into: Float64Array): void {
    this.#native.statistics(into);
  }

  /** Frees the queue. Idempotent; the rings then read as empty. */
  close(): void {
    this.#closed = true;
    this.#native.close();
  }
}
