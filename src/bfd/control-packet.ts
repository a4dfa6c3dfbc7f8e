/**
 * The BFD control packet (RFC 5880 §4.1), 24 octets without authentication, which is not offered.
 *
 *     | version (3), diagnostic (5) | state (2) P F C A D M | multiplier | length |
 *     | my discriminator (4) | your discriminator (4) |
 *     | desired min tx (4, us) | required min rx (4, us) | required min echo rx (4, us) |
 *
 * `decodeControlPacket` reads only inside its bounds and answers in words what §6.8.6 has it discard.
 */

export const BfdStateNumber = { AdminDown: 0, Down: 1, Init: 2, Up: 3 } as const;
export type BfdStateNumber = (typeof BfdStateNumber)[keyof typeof BfdStateNumber];

export const Diagnostic = {
  None: 0,
  DetectionTimeExpired: 1,
  NeighborSignaledDown: 3,
  AdministrativelyDown: 7,
} as const;

export interface ControlPacket {
  readonly diagnostic: number;
  readonly state: BfdStateNumber;
  readonly poll: boolean;
  readonly final: boolean;
  readonly demand: boolean;
  readonly multiplier: number;
  readonly myDiscriminator: number;
  readonly yourDiscriminator: number;
  readonly desiredMinTransmitMilliseconds: number;
  readonly requiredMinReceiveMilliseconds: number;
}

const PACKET_BYTES = 24;
const VERSION = 1;
const FLAG = { poll: 0x20, final: 0x10, authentication: 0x04, demand: 0x02, multipoint: 0x01 } as const;

export function decodeControlPacket(bytes: Uint8Array): ControlPacket | string {
  if (bytes.length < PACKET_BYTES) return "shorter than 24 octets";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const flags = bytes[1]!;
  const state = (flags >>> 6) as BfdStateNumber;
  if (bytes[0]! >>> 5 !== VERSION) return `version ${bytes[0]! >>> 5}`;
  if (bytes[3]! < PACKET_BYTES || bytes[3]! > bytes.length) return `length ${bytes[3]}`;
  if (bytes[2] === 0) return "multiplier 0";
  if ((flags & FLAG.multipoint) !== 0) return "multipoint bit set";
  if ((flags & FLAG.authentication) !== 0) return "authentication is not configured";
  const myDiscriminator = view.getUint32(4);
  const yourDiscriminator = view.getUint32(8);
  if (myDiscriminator === 0) return "no discriminator";
  if (yourDiscriminator === 0 && state > BfdStateNumber.Down) return "no discriminator of ours in a live state";
  return {
    diagnostic: bytes[0]! & 0x1f,
    state,
    poll: (flags & FLAG.poll) !== 0,
    final: (flags & FLAG.final) !== 0,
    demand: (flags & FLAG.demand) !== 0,
    multiplier: bytes[2]!,
    myDiscriminator,
    yourDiscriminator,
    desiredMinTransmitMilliseconds: view.getUint32(12) / 1000,
    requiredMinReceiveMilliseconds: view.getUint32(16) / 1000,
  };
}

export function encodeControlPacket(packet: ControlPacket): Uint8Array {
  const bytes = new Uint8Array(PACKET_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = (VERSION << 5) | packet.diagnostic;
  bytes[1] =
    (packet.state << 6) |
    (packet.poll ? FLAG.poll : 0) |
    (packet.final ? FLAG.final : 0) |
    (packet.demand ? FLAG.demand : 0);
  bytes[2] = packet.multiplier;
  bytes[3] = PACKET_BYTES;
  view.setUint32(4, packet.myDiscriminator);
  view.setUint32(8, packet.yourDiscriminator);
  view.setUint32(12, Math.round(packet.desiredMinTransmitMilliseconds * 1000));
  view.setUint32(16, Math.round(packet.requiredMinReceiveMilliseconds * 1000));
  return bytes;
}
