/**
 * Classic capture files (draft-ietf-opsawg-pcap), of one interface that has no name:
 *
 *     magic, version, 0, 0, snapshot length, link type | seconds, fraction, captured, length | frame | ...
 *
 * The magic number tells the byte order and whether fractions are micro- or nanoseconds.
 */
import {
  type CapturedFrame,
  CaptureError,
  type CaptureFile,
  type FrameToWrite,
  LINKTYPE_ETHERNET,
} from "./capture-file.ts";

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;
/** Longer frames than this are what damaged lengths look like. */
export const MAX_FRAME_BYTES = 1 << 18;

/** Byte order and fractions per second by the first four bytes, or `null` for another format. */
function kindOf(view: DataView): { littleEndian: boolean; fractions: number } | null {
  for (const littleEndian of [true, false]) {
    const magic = view.getUint32(0, littleEndian);
    if (magic === MICROSECONDS) return { littleEndian, fractions: 1e6 };
    if (magic === NANOSECONDS) return { littleEndian, fractions: 1e9 };
  }
  return null;
}

export function isPcap(file: Uint8Array): boolean {
  return file.length >= 4 && kindOf(viewOf(file)) !== null;
}

/** @throws CaptureError when it is not such a file, or a record's length can't be true. */
export function readPcap(file: Uint8Array): CaptureFile {
  const view = viewOf(file);
  const kind = file.length < FILE_HEADER_BYTES ? null : kindOf(view);
  if (kind === null) throw new CaptureError("this is not a pcap file");
  const { littleEndian, fractions } = kind;
  // The upper bits hold the length of check sequences.
  const linkType = view.getUint32(20, littleEndian) & 0x0fffffff;
  const frames: CapturedFrame[] = [];
  let at = FILE_HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= file.length) {
    const captured = view.getUint32(at + 8, littleEndian);
    if (captured > MAX_FRAME_BYTES) {
      throw new CaptureError(`packet ${frames.length + 1} claims ${captured} bytes: the file is damaged there`);
    }
    const start = at + RECORD_HEADER_BYTES;
    if (start + captured > file.length) break;
    frames.push({
      interface: 0,
      timestampSeconds: view.getUint32(at, littleEndian) + view.getUint32(at + 4, littleEndian) / fractions,
      bytes: file.subarray(start, start + captured),
      lengthBytes: view.getUint32(at + 12, littleEndian),
    });
    at = start + captured;
  }
  const cutShort = at === file.length ? null : `the file ends in packet ${frames.length + 1}`;
  return { interfaces: [{ name: null, linkType }], frames, cutShort };
}

/** Frames of all interfaces in one file: it has no place for their names, nor for comments. */
export function writePcap(frames: readonly FrameToWrite[]): Uint8Array {
  const total = frames.reduce((sum, { bytes }) => sum + RECORD_HEADER_BYTES + bytes.length, FILE_HEADER_BYTES);
  const file = new Uint8Array(total);
  const view = viewOf(file);
  const header = [MICROSECONDS, 0x00040002, 0, 0, MAX_FRAME_BYTES, LINKTYPE_ETHERNET];
  header.forEach((word, index) => {
    view.setUint32(index * 4, word, true);
  });
  let at = FILE_HEADER_BYTES;
  for (const { timestampSeconds, bytes } of frames) {
    const microseconds = Math.round(timestampSeconds * 1e6);
    view.setUint32(at, Math.floor(microseconds / 1e6), true);
    view.setUint32(at + 4, microseconds % 1e6, true);
    view.setUint32(at + 8, bytes.length, true);
    view.setUint32(at + 12, bytes.length, true);
    file.set(bytes, at + RECORD_HEADER_BYTES);
    at += RECORD_HEADER_BYTES + bytes.length;
  }
  return file;
}

function viewOf(file: Uint8Array): DataView {
  return new DataView(file.buffer, file.byteOffset, file.byteLength);
}
