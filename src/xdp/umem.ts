/**
 * The packet memory of AF_XDP sockets: `frameCount` frames of `frameSize` bytes, page-aligned, outside the JavaScript
 * heap. A frame has one owner at any time: fill ring, batch, transmit ring or completion ring.
 *
 * One Umem serves several sockets of one thread, which may be on different interfaces: a frame received on one is sent
 * on another without a copy.
 */
import { type NativeUmem, native } from "./native.ts";

export type FrameSize = 2048 | 4096;

export interface UmemOptions {
  readonly frameCount: number;
  readonly frameSize: FrameSize;
  /** Bytes kept free before each received frame, besides the kernel's own 256. */
  readonly headroom?: number;
}

/** Bytes at the start of a frame that the kernel keeps for an XDP program: a received packet starts behind them. */
export const KERNEL_HEADROOM_BYTES = 256;

export class Umem {
  readonly frameCount: number;
  readonly frameSize: FrameSize;
  readonly headroom: number;
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** For `XskSocket`. */
  readonly handle: NativeUmem;

  constructor(options: UmemOptions) {
    const { frameCount, frameSize, headroom = 0 } = options;
    const lengthBytes = frameCount * frameSize;
    if (!Number.isInteger(frameCount) || frameCount < 1 || (frameSize !== 2048 && frameSize !== 4096)) {
      throw new TypeError("a Umem has at least one frame of 2048 or 4096 bytes");
    }
    // Frame addresses are handled as one 32-bit word (ring.ts).
    if (lengthBytes > 0x7fffffff) throw new TypeError("a Umem is smaller than 2 GiB");
    this.frameCount = frameCount;
    this.frameSize = frameSize;
    this.headroom = headroom;
    this.handle = new native.Umem(Math.ceil(lengthBytes / 4096) * 4096);
    this.buffer = this.handle.buffer();
    this.bytes = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
  }

  /** The longest frame that fits: longer ones never arrive (the kernel counts them as dropped). */
  get largestFrameBytes(): number {
    return this.frameSize - KERNEL_HEADROOM_BYTES - this.headroom;
  }

  /** Idempotent; sockets may close before or after. The views then read zeros. */
  close(): void {
    this.handle.close();
  }
}
