/**
 * What tcpdump captured, read without the project's own parsers: a test of the datapath must not trust the datapath's
 * reading of a frame. Classic pcap files of Ethernet links; IP and TCP as far as the checks need them.
 */

export interface CapturedFrame {
  readonly timestampSeconds: number;
  readonly bytes: Buffer;
}

export interface TcpSegment {
  readonly timestampSeconds: number;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly syn: boolean;
  readonly ack: boolean;
  readonly fin: boolean;
  readonly ttl: number;
  readonly payload: Buffer;
}

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const LITTLE_ENDIAN_MICROSECONDS = 0xa1b2c3d4;

/** All complete frames of a file; a record that tcpdump has not finished writing is left out. */
export function readPcap(file: Buffer): CapturedFrame[] {
  if (file.length < FILE_HEADER_BYTES) return [];
  if (file.readUInt32LE(0) !== LITTLE_ENDIAN_MICROSECONDS) throw new Error("not a little-endian pcap file");
  const frames: CapturedFrame[] = [];
  let at = FILE_HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= file.length) {
    const length = file.readUInt32LE(at + 8);
    const start = at + RECORD_HEADER_BYTES;
    if (start + length > file.length) break;
    const timestampSeconds = file.readUInt32LE(at) + file.readUInt32LE(at + 4) / 1e6;
    frames.push({ timestampSeconds, bytes: file.subarray(start, start + length) });
    at = start + length;
  }
  return frames;
}

/** Hop-by-hop, routing and destination options: headers that may stand between IPv6 and TCP (RFC 8200 §4). */
const SKIPPED_HEADERS = [0, 43, 60];

/** The TCP segment in an Ethernet frame, or `null` for anything else. */
export function tcpSegment({ bytes, timestampSeconds }: CapturedFrame): TcpSegment | null {
  if (bytes.length < 54) return null;
  const ip = 14;
  const isIpv4 = bytes.readUInt16BE(12) === 0x0800;
  if (!isIpv4 && bytes.readUInt16BE(12) !== 0x86dd) return null;
  let protocol = bytes[isIpv4 ? ip + 9 : ip + 6]!;
  let tcp = ip + (isIpv4 ? (bytes[ip]! & 15) * 4 : 40);
  while (!isIpv4 && SKIPPED_HEADERS.includes(protocol) && tcp + 8 <= bytes.length) {
    protocol = bytes[tcp]!;
    tcp += (bytes[tcp + 1]! + 1) * 8;
  }
  if (protocol !== 6 || tcp + 20 > bytes.length) return null;
  const end = ip + (isIpv4 ? bytes.readUInt16BE(ip + 2) : 40 + bytes.readUInt16BE(ip + 4));
  const flags = bytes[tcp + 13]!;
  const [source, destination] = isIpv4 ? [ip + 12, ip + 16] : [ip + 8, ip + 24];
  return {
    timestampSeconds,
    source: addressAt(bytes, source, isIpv4),
    sourcePort: bytes.readUInt16BE(tcp),
    destination: addressAt(bytes, destination, isIpv4),
    destinationPort: bytes.readUInt16BE(tcp + 2),
    sequence: bytes.readUInt32BE(tcp + 4),
    syn: (flags & 0x02) !== 0,
    ack: (flags & 0x10) !== 0,
    fin: (flags & 0x01) !== 0,
    ttl: bytes[isIpv4 ? ip + 8 : ip + 7]!,
    payload: bytes.subarray(tcp + (bytes[tcp + 12]! >> 4) * 4, end),
  };
}

function addressAt(bytes: Buffer, at: number, isIpv4: boolean): string {
  if (isIpv4) return bytes.subarray(at, at + 4).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(at + index * 2).toString(16));
  // URLs have addresses in the canonical form of RFC 5952.
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/**
 * The BGP messages that one address sent, in order, each from its marker to its end. Streams are put together by
 * sequence number, so retransmitted segments count once; a message still incomplete is left out.
 */
export function bgpMessagesFrom(source: string, frames: readonly CapturedFrame[]): Buffer[] {
  const streams = new Map<string, Map<number, Buffer>>();
  for (const frame of frames) {
    const segment = tcpSegment(frame);
    if (segment === null || segment.source !== source || segment.payload.length === 0) continue;
    if (segment.sourcePort !== 179 && segment.destinationPort !== 179) continue;
    const key = `${segment.sourcePort} ${segment.destination} ${segment.destinationPort}`;
    const stream = streams.get(key) ?? new Map<number, Buffer>();
    streams.set(key, stream.set(segment.sequence, segment.payload));
  }
  return [...streams.values()].flatMap((stream) => splitMessages(joined(stream)));
}

function joined(segments: Map<number, Buffer>): Buffer {
  const first = Math.min(...segments.keys());
  const parts: Buffer[] = [];
  let next = first;
  for (let part = segments.get(next); part !== undefined; part = segments.get(next)) {
    parts.push(part);
    next += part.length;
  }
  return Buffer.concat(parts);
}

function splitMessages(stream: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  let at = 0;
  while (at + 19 <= stream.length) {
    const length = stream.readUInt16BE(at + 16);
    if (length < 19 || at + length > stream.length) break;
    messages.push(stream.subarray(at, at + length));
    at += length;
  }
  return messages;
}
