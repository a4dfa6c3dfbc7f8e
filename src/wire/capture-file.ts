/**
 * What a capture file holds, whichever of its two formats it is in. Frames are Ethernet frames, without their check
 * sequence.
 */

/** The link type of Ethernet, in both formats. */
export const LINKTYPE_ETHERNET = 1;

export interface CaptureInterface {
  /** `null` where the file does not say. */
  readonly name: string | null;
  readonly linkType: number;
}

export interface CapturedFrame {
  /** Index into the capture's interfaces. */
  readonly interface: number;
  readonly timestampSeconds: number;
  readonly bytes: Uint8Array;
  /** Of the frame on the wire: more than `bytes` where the capture cut it short. */
  readonly lengthBytes: number;
}

export interface CaptureFile {
  readonly interfaces: readonly CaptureInterface[];
  readonly frames: readonly CapturedFrame[];
  /** Why there is nothing more, when the file ends in the middle of something: a capture that was killed. */
  readonly cutShort: string | null;
}

/** A frame to write. */
export interface FrameToWrite {
  readonly interface: number;
  readonly timestampSeconds: number;
  readonly bytes: Uint8Array;
  /** Of the whole frame, where `bytes` is not all of it. */
  readonly lengthBytes?: number;
  /** Which way it went, where the format has a place for it, */
  readonly direction?: "in" | "out";
  /** and what a reader of the capture is told of it, likewise. */
  readonly comment?: string;
}

/** Says what about a file can't be read, and where. */
export class CaptureError extends Error {
  override name = "CaptureError";
}
