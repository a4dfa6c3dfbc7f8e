/** The frames of a random flow through a node like that of the packet scenarios' `nat` configuration, many of them broken. */
import { internetChecksum } from "../fixtures/frames.ts";
import { segmentFrame } from "../fixtures/segments.ts";

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
const URG = 32;

const WAN = { iface: "wan", destinationMac: "02:00:00:00:0a:01", sourceMac: "02:00:00:00:0a:00" };
const LAN = { iface: "lan", destinationMac: "02:00:00:00:0b:00", sourceMac: "02:00:00:00:0b:01" };
const BACKENDS = { 4: ["10.2.0.2", "10.2.0.3"], 6: ["2001:db8:2::2", "2001:db8:2::3"] };
const VIPS = { 4: "198.51.100.10", 6: "2001:db8:ff::10" };

/** What a node's frames have besides. */
export interface Dress {
  /** VLAN tags of the client's side, without priority: [EtherType, VLAN]. */
  readonly tags?: readonly (readonly [number, number])[];
  /** Port of the backends; 8080 by default. */
  readonly backendPort?: number;
  /** Frames of the beginning that are not broken, besides the handshake; none by default. */
  readonly sound?: number;
}

/** A handshake, or a datagram each way, and then forty frames of every kind. */
export function randomFlow(next: () => number, dress: Dress = {}): Record<string, unknown>[] {
  const { tags = [], backendPort = 8080, sound = 0 } = dress;
  const family = next() & 1 ? 4 : 6;
  const protocol = next() & 1 ? "TCP" : "UDP";
  const vip = { address: VIPS[family], port: 80 };
  const client = {
    address: family === 4 ? `203.0.113.${1 + (next() % 250)}` : `2001:db8:c::${(1 + (next() % 0xfffe)).toString(16)}`,
    port: 1024 + (next() % 60_000),
  };
  const request = (flags: number, payload: number, ttl = 64) => ({
    ...WAN,
    bytes: segmentFrame({
      ...WAN,
      protocol,
      flags,
      ttl,
      source: client.address,
      sourcePort: client.port,
      destination: vip.address,
      destinationPort: vip.port,
      payload: randomBytes(next, payload),
    }),
  });
  const reply = (backend: string, flags: number, payload: number, ttl = 64) => ({
    ...LAN,
    bytes: segmentFrame({
      ...LAN,
      protocol,
      flags,
      ttl,
      source: backend,
      sourcePort: backendPort,
      destination: client.address,
      destinationPort: client.port,
      payload: randomBytes(next, payload),
    }),
  });
  // Which of the backends it is, the pipeline knows; a reply of the other is nobody's.
  const opening = [request(SYN, 0), ...BACKENDS[family].map((each) => reply(each, SYN | ACK, 0)), request(ACK, 0)];
  const flags = () =>
    [ACK, ACK | PSH, ACK | URG, ACK | FIN, RST, SYN, SYN | ACK, 0][Math.max(0, (next() % 200) - 192)]!;
  const ttl = () => ((next() & 7) === 0 ? next() % 3 : 2 + (next() % 250));
  const rest = Array.from({ length: 40 }, (_, turn) => {
    const size = (next() & 3) === 0 ? next() % 1500 : next() % 64;
    const backend = BACKENDS[family][next() & 1]!;
    if (turn < sound) return request(ACK, size);
    const frame = next() & 1 ? request(flags(), size, ttl()) : reply(backend, flags(), size, ttl());
    return next() & 1 ? frame : { ...frame, bytes: mutated(frame.bytes, next) };
  });
  return [...opening, ...rest].map(({ iface, bytes }) => ({
    iface,
    frame: Buffer.from(iface === "wan" ? tagged(bytes, tags, next) : bytes).toString("hex"),
  }));
}

/** With any priority, and now and then with tags of somebody else. */
function tagged(frame: Uint8Array, tags: Required<Dress>["tags"], next: () => number): Uint8Array {
  const bytes = tags.flatMap(([type, vlan]) => {
    const id = ((next() & 0xf) << 12) | (next() % 16 === 0 ? vlan + 1 : vlan);
    return [type >> 8, type & 255, id >> 8, id & 255];
  });
  return Uint8Array.of(...frame.subarray(0, 12), ...bytes, ...frame.subarray(12));
}

/** Padded, cut, with a byte changed and the header checksum wrong or mended, with odd transport checksums. */
export function mutated(frame: Uint8Array, next: () => number): Uint8Array {
  const isIpv4 = frame[12] === 8;
  const l4 = isIpv4 ? 34 : 54;
  const sum = l4 + (frame[isIpv4 ? 23 : 20] === 6 ? 16 : 6);
  const copy = Uint8Array.from(frame);
  if (sum + 2 > copy.length) return copy;
  switch (next() % 6) {
    case 0:
      return Uint8Array.of(...copy, ...randomBytes(next, 1 + (next() % 20)));
    case 1:
      return copy.slice(0, 14 + (next() % (copy.length - 13)));
    case 2:
      copy.set([0, 0], sum);
      return copy;
    case 3:
      copy.set(next() & 1 ? [0xff, 0xff] : randomBytes(next, 2), sum);
      return copy;
    case 4:
      copy[next() % Math.min(copy.length, 70)] = next() & 255;
      return copy;
    default:
      copy[14 + (next() % (l4 - 14))] = next() & 255;
      if (isIpv4 && (copy[14]! & 15) === 5) {
        copy.set([0, 0], 24);
        new DataView(copy.buffer).setUint16(24, internetChecksum(copy.subarray(14, 34)));
      }
      return copy;
  }
}

function randomBytes(next: () => number, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => next() & 255);
}

export function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
