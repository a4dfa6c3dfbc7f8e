/**
 * Capture files of the newer format (draft-ietf-opsawg-pcapng): blocks, of which these matter:
 *
 *     | type | total length | body, padded to 4 | total length |
 *
 *     section header    0x0a0d0d0a   byte order magic, version, section length, options
 *     interface         1            link type 16, 0, snapshot length, options: 2 name, 9 resolution of timestamps
 *     enhanced packet   6            interface, timestamp high, low, captured, length, frame, options: 1 comment, 2 flags
 *     simple packet     3            length, frame: of interface 0, without a time
 *
 * Others are skipped. A file may have several sections, each with its byte order and its interfaces.
 */
import {
  type CapturedFrame,
  CaptureError,
  type CaptureFile,
  type CaptureInterface,
  type FrameToWrite,
  LINKTYPE_ETHERNET,
} from "./capture-file.ts";
import { MAX_FRAME_BYTES } from "./pcap.ts";

const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;
const INTERFACE = 1;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const OPTION_COMMENT = 1;
const OPTION_INTERFACE_NAME = 2;
const OPTION_PACKET_FLAGS = 2;
const OPTION_TIME_RESOLUTION = 9;
/** Of the packet's flags: which way it went. */
const INBOUND = 1;
const OUTBOUND = 2;
const BLOCK_BYTES = 12;
const PACKET_BYTES = 20;

export function isPcapng(file: Uint8Array): boolean {
  return file.length >= 4 && viewOf(file).getUint32(0, true) === SECTION_HEADER;
}

/** @throws CaptureError when it is not such a file, or a block's lengths can't be true. */
export function readPcapng(file: Uint8Array): CaptureFile {
  if (!isPcapng(file)) throw new CaptureError("this is not a pcapng file");
  const view = viewOf(file);
  const interfaces: CaptureInterface[] = [];
  const unitsPerSecond: number[] = [];
  const frames: CapturedFrame[] = [];
  let littleEndian = true;
  /** Where the interfaces of the section in work begin. */
  let section = 0;
  let at = 0;
  while (at + BLOCK_BYTES <= file.length) {
    const type = view.getUint32(at, littleEndian);
    if (type === SECTION_HEADER) {
      littleEndian = byteOrderAt(view, at);
      section = interfaces.length;
    }
    const total = view.getUint32(at + 4, littleEndian);
    if (total < BLOCK_BYTES || total % 4 !== 0) {
      throw new CaptureError(`the block at byte ${at} claims ${total} bytes: the file is damaged there`);
    }
    if (at + total > file.length) break;
    const body = new DataView(view.buffer, view.byteOffset + at + 8, total - BLOCK_BYTES);
    if (type === INTERFACE) {
      const options = readOptions(body, 8, littleEndian, at);
      interfaces.push({ name: textOf(options.get(OPTION_INTERFACE_NAME)), linkType: u16(body, 0, littleEndian, at) });
      unitsPerSecond.push(resolutionOf(options.get(OPTION_TIME_RESOLUTION)));
    } else if (type === ENHANCED_PACKET || type === SIMPLE_PACKET) {
      const head = type === ENHANCED_PACKET ? PACKET_BYTES : 4;
      if (body.byteLength < head) throw new CaptureError(`the packet block at byte ${at} is too short`);
      const id = section + (type === ENHANCED_PACKET ? body.getUint32(0, littleEndian) : 0);
      if (id >= interfaces.length) throw new CaptureError(`packet ${frames.length + 1} is of an unknown interface`);
      // The last word of both heads.
      const lengthBytes = body.getUint32(head - 4, littleEndian);
      const captured =
        type === ENHANCED_PACKET ? body.getUint32(12, littleEndian) : Math.min(lengthBytes, body.byteLength - 4);
      if (captured > MAX_FRAME_BYTES || head + captured > body.byteLength) {
        throw new CaptureError(`packet ${frames.length + 1} claims ${captured} bytes: the file is damaged there`);
      }
      const time =
        type === ENHANCED_PACKET
          ? body.getUint32(4, littleEndian) * 2 ** 32 + body.getUint32(8, littleEndian)
          : (frames.at(-1)?.timestampSeconds ?? 0) * unitsPerSecond[id]!;
      frames.push({
        interface: id,
        timestampSeconds: time / unitsPerSecond[id]!,
        bytes: new Uint8Array(body.buffer, body.byteOffset + head, captured),
        lengthBytes,
      });
    }
    at += total;
  }
  const cutShort = at === file.length ? null : `the file ends in the block at byte ${at}`;
  return { interfaces, frames, cutShort };
}

/** Whether the section that begins there is little-endian. */
function byteOrderAt(view: DataView, at: number): boolean {
  for (const littleEndian of [true, false]) {
    if (view.getUint32(at + 8, littleEndian) === BYTE_ORDER) return littleEndian;
  }
  throw new CaptureError(`the section at byte ${at} has no byte order: the file is damaged there`);
}

function readOptions(body: DataView, from: number, littleEndian: boolean, block: number): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  let at = from;
  while (at + 4 <= body.byteLength) {
    const code = u16(body, at, littleEndian, block);
    const length = u16(body, at + 2, littleEndian, block);
    if (code === 0 || at + 4 + length > body.byteLength) break;
    options.set(code, new Uint8Array(body.buffer, body.byteOffset + at + 4, length));
    at += 4 + ((length + 3) & ~3);
  }
  return options;
}

function u16(body: DataView, at: number, littleEndian: boolean, block: number): number {
  if (at + 2 > body.byteLength) throw new CaptureError(`the block at byte ${block} is too short`);
  return body.getUint16(at, littleEndian);
}

function textOf(bytes: Uint8Array | undefined): string | null {
  return bytes === undefined ? null : new TextDecoder().decode(bytes);
}

/** A power of ten, or with the high bit of two; microseconds when the file does not say. */
function resolutionOf(bytes: Uint8Array | undefined): number {
  const exponent = bytes?.[0] ?? 6;
  return exponent & 0x80 ? 2 ** (exponent & 0x7f) : 10 ** exponent;
}

/** One section, little-endian, with microseconds. @param interfaces their names. */
export function writePcapng(interfaces: readonly string[], frames: readonly FrameToWrite[]): Uint8Array {
  return joined([pcapngStart(interfaces), ...frames.map(pcapngPacket)]);
}

/** What such a file begins with; packets follow as they come. @param snapBytes where frames are cut; 0 for nowhere. */
export function pcapngStart(interfaces: readonly string[], snapBytes = 0): Uint8Array {
  return joined([
    block(SECTION_HEADER, words(BYTE_ORDER, 1, 0xffffffff, 0xffffffff)),
    ...interfaces.map((name) =>
      block(
        INTERFACE,
        words(LINKTYPE_ETHERNET, snapBytes),
        options(option(OPTION_INTERFACE_NAME, new TextEncoder().encode(name))),
      ),
    ),
  ]);
}

export function pcapngPacket(frame: FrameToWrite): Uint8Array {
  const { interface: id, timestampSeconds, bytes, lengthBytes = bytes.length, direction, comment } = frame;
  const microseconds = Math.round(timestampSeconds * 1e6);
  const head = words(id, Math.floor(microseconds / 2 ** 32), microseconds % 2 ** 32, bytes.length, lengthBytes);
  const given = [
    ...(comment === undefined ? [] : [option(OPTION_COMMENT, new TextEncoder().encode(comment))]),
    ...(direction === undefined ? [] : [option(OPTION_PACKET_FLAGS, words(direction === "in" ? INBOUND : OUTBOUND))]),
  ];
  return block(ENHANCED_PACKET, head, padded(bytes), ...(given.length === 0 ? [] : [options(...given)]));
}

function block(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const total = parts.reduce((sum, part) => sum + part.length, BLOCK_BYTES);
  return joined([words(type, total), ...parts, words(total)]);
}

/** Options, and their end behind them. */
function options(...given: readonly Uint8Array[]): Uint8Array {
  return joined([...given, words(0)]);
}

function option(code: number, value: Uint8Array): Uint8Array {
  return joined([words(code | (value.length << 16)), padded(value)]);
}

function padded(bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array((bytes.length + 3) & ~3);
  result.set(bytes);
  return result;
}

function words(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, index) => {
    view.setUint32(index * 4, value, true);
  });
  return new Uint8Array(view.buffer);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

function viewOf(file: Uint8Array): DataView {
  return new DataView(file.buffer, file.byteOffset, file.byteLength);
}
