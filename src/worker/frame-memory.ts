/**
 * How a worker's frame memory is laid out, and which of it is free.
 *
 *     | frame | frame | frame | ...            | room        | room        | ... |
 *       2048 or 4096 bytes each                  several frames in a row
 *
 * The kernel fills frames. A packet that is longer than one arrives in several (a multi-buffer socket), wherever they
 * are; it is put together in a room, so that the pipeline finds it in one piece as it does any other. To be sent it is
 * described frame by frame again, for a descriptor may not reach across the end of a frame: the room's frames lie in a
 * row, so nothing is copied a second time.
 *
 * A frame or room is here, in one ring, or in the batch; never in two of them.
 */
import { KERNEL_HEADROOM_BYTES } from "../xdp/umem.ts";

/** The IP header of a frame that begins here is aligned to 4 bytes. */
export const HEADROOM = 2;
/** Where a packet begins in its frame or room. */
export const FRAME_START = KERNEL_HEADROOM_BYTES + HEADROOM;

/** The kernel joins no more pieces than this to a packet (MAX_SKB_FRAGS + 1, less one for drivers that need it). */
const MOST_PIECES = 16;
/** Of each socket. A packet that finds no room is dropped, so there are as many as its rings hold of the longest. */
const ROOMS_PER_SOCKET = 512;

export interface FrameLayout {
  readonly frameSize: 2048 | 4096;
  readonly frameCount: number;
  /** Frames of a room: 1 when every packet fits into a frame, and then there are no rooms. */
  readonly roomFrames: number;
  readonly roomCount: number;
}

/**
 * @param longestBytes of the packets to expect, Ethernet header and tags included.
 * @param framesPerSocket what the rings of a socket hold.
 * @throws when such packets can't be received at all.
 */
export function layFrames(longestBytes: number, sockets: number, framesPerSocket: number): FrameLayout {
  const reserved = FRAME_START;
  const frameCount = sockets * framesPerSocket;
  if (longestBytes <= 2048 - reserved) return { frameSize: 2048, frameCount, roomFrames: 1, roomCount: 0 };
  const roomFrames = Math.ceil((longestBytes + reserved) / 4096);
  if (roomFrames > MOST_PIECES) {
    throw new Error(
      `packets of ${longestBytes} bytes are too long for AF_XDP: set an MTU of 9000 or less on the ports`,
    );
  }
  return { frameSize: 4096, frameCount, roomFrames, roomCount: roomFrames === 1 ? 0 : sockets * ROOMS_PER_SOCKET };
}

export class FrameMemory {
  readonly #frames: Int32Array;
  readonly #frameMask: number;
  #freeFrames: number;
  /** Address of the first room: what lies before it is frames. */
  readonly #roomsBegin: number;
  readonly #roomBytes: number;
  readonly #rooms: Int32Array;
  #freeRooms: number;
  /** By number of the room: descriptors of it that the kernel has not completed. */
  readonly #pieces: Uint8Array;

  constructor({ frameSize, frameCount, roomFrames, roomCount }: FrameLayout) {
    this.#frames = Int32Array.from({ length: frameCount }, (_, frame) => frame * frameSize);
    this.#frameMask = ~(frameSize - 1);
    this.#freeFrames = frameCount;
    this.#roomsBegin = frameCount * frameSize;
    this.#roomBytes = roomFrames * frameSize;
    this.#rooms = Int32Array.from({ length: roomCount }, (_, room) => this.#roomsBegin + room * this.#roomBytes);
    this.#freeRooms = roomCount;
    this.#pieces = new Uint8Array(roomCount);
  }

  get freeFrames(): number {
    return this.#freeFrames;
  }

  get freeRooms(): number {
    return this.#freeRooms;
  }

  /** Bytes that a packet in a room may have, from `FRAME_START` on. */
  get roomBytes(): number {
    return this.#roomBytes - FRAME_START;
  }

  /** Address of a free frame; the caller has looked at `freeFrames`. */
  takeFrame(): number {
    return this.#frames[--this.#freeFrames]!;
  }

  /** Address of a free room; the caller has looked at `freeRooms`. */
  takeRoom(): number {
    return this.#rooms[--this.#freeRooms]!;
  }

  /** How many descriptors a packet needs: the frames that it touches. */
  piecesOf(address: number, length: number): number {
    const first = address & this.#frameMask;
    return (((address + length - 1) & this.#frameMask) - first) / -this.#frameMask + 1;
  }

  /** How many bytes of a packet lie in the frame of its first byte. */
  firstPiece(address: number, length: number): number {
    return Math.min(length, (address & this.#frameMask) - this.#frameMask - address);
  }

  /** A packet goes to the kernel, in so many descriptors; `give` is then called for each of them. */
  lend(address: number, pieces: number): void {
    if (address >= this.#roomsBegin) this.#pieces[this.#roomOf(address)] = pieces;
  }

  /**
   * Takes back what has any address inside a frame, or inside a room: the room is free with the last of its pieces that
   * was lent, or at once.
   */
  give(address: number): void {
    if (address < this.#roomsBegin) {
      this.#frames[this.#freeFrames++] = address & this.#frameMask;
      return;
    }
    const room = this.#roomOf(address);
    const pieces = this.#pieces[room]!;
    if (pieces > 1) {
      this.#pieces[room] = pieces - 1;
      return;
    }
    this.#pieces[room] = 0;
    this.#rooms[this.#freeRooms++] = this.#roomsBegin + room * this.#roomBytes;
  }

  #roomOf(address: number): number {
    return ((address - this.#roomsBegin) / this.#roomBytes) | 0;
  }
}
