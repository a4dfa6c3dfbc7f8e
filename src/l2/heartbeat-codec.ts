/**
 * Heartbeats as datagrams, each of at most 1200 bytes: a statement that does not fit is spread over several. All numbers
 * in network order. Pure: the authentication code is computed by a function that is given.
 *
 *   0 "SL2" version=1   4 part, parts: 8 bits each   6 flags   7 length of the name, then the name
 *   . session 48   sequence 48   statement's version 32
 *   . heard: count 16, each: name, session 48, version 32, flags 8: all who get this, each looks for its own session
 *   . moves: count 8, each: address, name
 *   . entries of the statement in this part: count 16, each: kind 8, then what the kind has
 *   . authentication code, 16 bytes, over everything before it
 *
 * A name is its length (8 bits) and its UTF-8, an address 16 bytes (IPv4 as ::ffff:a.b.c.d).
 */
import { EMPTY_STATEMENT, type Heard, type Heartbeat, type MoveRequest, type Statement } from "./heartbeat.ts";
import { FieldReader, FieldWriter } from "./message-fields.ts";

/**
 * Authenticates the first `length` octets: HMAC with the cluster's secret, of which `CODE_BYTES` are used. What it gives is good
 * until the next call.
 */
export type Authenticate = (octets: Uint8Array, length: number) => Uint8Array;

export const CODE_BYTES = 16;
export const LONGEST_DATAGRAM = 1200;
/** What a reader takes: names may be so long that one part is longer than datagrams are meant to be. */
export const MOST_OCTETS = 2048;
const MAGIC = 0x534c3201;
const MOST_PARTS = 255;
/** A power of two, larger than most links have nodes. */
const KNOWN_NAMES = 256;

const FLAG_READY = 1;
const FLAG_DRAINING = 2;
const FLAG_STATEMENT = 4;
const FLAG_URGENT = 8;
/** By which bit of which octet a datagram with news is told from one that only says that a node lives. */
export const URGENT = { offset: 6, mask: FLAG_URGENT } as const;
const NAME_AT = 7;
const HELD = 1;
const KIND_CLAIM = 1;
const KIND_HANDOVER = 2;
const KIND_REFUSED = 3;
const KIND_POOR = 4;
const KIND_MAC = 5;
const KIND_UNSEEN = 6;
const WEAK = 1;
const PINNED = 2;
/** The longest entry: kind, address, term, flags, name. */
const LONGEST_ENTRY = 1 + 16 + 4 + 1 + 256;

/** One datagram, read: a heartbeat with that part of the statement that it carries. */
export interface HeartbeatPart {
  readonly heartbeat: Heartbeat;
  readonly part: number;
  readonly parts: number;
}

/** Writes datagrams. */
export class HeartbeatEncoder {
  readonly #authenticate: Authenticate;
  readonly #out = new FieldWriter();

  constructor(authenticate: Authenticate) {
    this.#authenticate = authenticate;
  }

  /** @throws where a name is longer than any node's. */
  encode(heartbeat: Heartbeat): Uint8Array[] {
    this.#out.clear();
    const entries = heartbeat.statement === null ? [] : statementEntries(heartbeat.statement, this.#out);
    writeHead(this.#out, heartbeat);
    const head = this.#out.take().slice();
    const bodies: Uint8Array[][] = [[]];
    let free = LONGEST_DATAGRAM - head.length - 2 - CODE_BYTES;
    const room = Math.max(free, LONGEST_ENTRY);
    free = room;
    for (const entry of entries) {
      if (entry.length > free) {
        bodies.push([]);
        free = room;
      }
      bodies.at(-1)!.push(entry);
      free -= entry.length;
    }
    if (bodies.length > MOST_PARTS) throw new RangeError("more addresses than heartbeats can carry");
    return bodies.map((body, part) => {
      this.#out.bytes(head);
      this.#out.u16(body.length);
      for (const entry of body) this.#out.bytes(entry);
      const octets = this.#out.take();
      octets[4] = part;
      octets[5] = bodies.length;
      const datagram = new Uint8Array(octets.length + CODE_BYTES);
      datagram.set(octets);
      datagram.set(this.#authenticate(octets, octets.length).subarray(0, CODE_BYTES), octets.length);
      return datagram;
    });
  }
}

/** Reads datagrams. It knows the names that it has read, since they come again five times a second. */
export class HeartbeatDecoder {
  readonly #authenticate: Authenticate;
  readonly #names = new Array<string>(KNOWN_NAMES).fill("");

  constructor(authenticate: Authenticate) {
    this.#authenticate = authenticate;
  }

  /** From whom a datagram says to be, be that true or not; `null` where it is too short to say so. */
  sender(datagram: Uint8Array): string | null {
    if (datagram.length <= NAME_AT || datagram.length > MOST_OCTETS) return null;
    if (datagram.length < sequenceAt(datagram) + 6) return null;
    return new FieldReader(datagram, datagram.length, this.#names).nameAt(NAME_AT);
  }

  /** Which of its session's it says to be. @param datagram one that names its sender. */
  sequence(datagram: Uint8Array): number {
    const at = sequenceAt(datagram);
    let sequence = 0;
    for (let index = at; index < at + 6; index++) sequence = sequence * 256 + datagram[index]!;
    return sequence;
  }

  /**
   * `null` for anything that no holder of the secret has sent, or that is not well formed.
   *
   * @param session of the node that reads: of what is said about members, it gets what names its session or says that one
   * is held down.
   */
  decode(datagram: Uint8Array, session: number): HeartbeatPart | null {
    if (datagram.length < 8 + CODE_BYTES || datagram.length > MOST_OCTETS) return null;
    const length = datagram.length - CODE_BYTES;
    const reader = new FieldReader(datagram, length, this.#names);
    if (reader.u32() !== MAGIC) return null;
    if (!isSame(this.#authenticate(datagram, length), datagram, length)) return null;
    try {
      return readPart(reader, session);
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
    }
  }
}

/** Joins the parts of a statement. */
export class Assembly {
  readonly #open = new Map<string, { readonly key: string; readonly parts: (HeartbeatPart | undefined)[] }>();

  /** The heartbeat, with its whole statement once all of its parts are here; until then it carries none. */
  add(part: HeartbeatPart): Heartbeat {
    const { heartbeat, parts } = part;
    if (heartbeat.statement === null || parts === 1) return heartbeat;
    const key = `${heartbeat.session} ${heartbeat.sequence}`;
    let open = this.#open.get(heartbeat.from);
    if (open?.key !== key) {
      open = { key, parts: new Array<HeartbeatPart | undefined>(parts).fill(undefined) };
      this.#open.set(heartbeat.from, open);
    }
    open.parts[part.part] = part;
    const statements = open.parts.flatMap((one) => one?.heartbeat.statement ?? []);
    if (statements.length < parts) return { ...heartbeat, statement: null };
    this.#open.delete(heartbeat.from);
    return {
      ...heartbeat,
      statement: {
        claims: statements.flatMap(({ claims }) => claims),
        handovers: statements.flatMap(({ handovers }) => handovers),
        refused: statements.flatMap(({ refused }) => refused),
        poor: statements.flatMap(({ poor }) => poor),
        macs: statements.flatMap(({ macs }) => macs),
        unseen: statements.flatMap(({ unseen }) => unseen),
      },
    };
  }
}

function writeHead(out: FieldWriter, heartbeat: Heartbeat): void {
  out.u32(MAGIC);
  out.u16(0);
  const flags = (heartbeat.ready ? FLAG_READY : 0) | (heartbeat.draining ? FLAG_DRAINING : 0);
  const isNews = heartbeat.statement !== null || heartbeat.moves.length > 0;
  out.u8(flags | (heartbeat.statement === null ? 0 : FLAG_STATEMENT) | (isNews ? FLAG_URGENT : 0));
  out.name(heartbeat.from);
  out.u48(heartbeat.session);
  out.u48(heartbeat.sequence);
  out.u32(heartbeat.version);
  out.u16(heartbeat.heard.length);
  for (const { node, session, version, held } of heartbeat.heard) {
    out.name(node);
    out.u48(session);
    // -1, for none, is all ones.
    out.u32(version >>> 0);
    out.u8(held ? HELD : 0);
  }
  out.u8(heartbeat.moves.length);
  for (const { vip, to } of heartbeat.moves) {
    out.address(vip);
    out.name(to);
  }
}

function statementEntries(statement: Statement, out: FieldWriter): Uint8Array[] {
  const { claims, handovers, refused, poor, macs, unseen } = statement;
  const entry = (kind: number, fill: () => void): Uint8Array => {
    out.u8(kind);
    fill();
    return out.take().slice();
  };
  return [
    ...claims.map(({ vip, term, weak, pinned }) =>
      entry(KIND_CLAIM, () => {
        out.address(vip);
        out.u32(term);
        out.u8((weak ? WEAK : 0) | (pinned ? PINNED : 0));
      }),
    ),
    ...handovers.map(({ vip, term, to, pinned }) =>
      entry(KIND_HANDOVER, () => {
        out.address(vip);
        out.u32(term);
        out.u8(pinned ? PINNED : 0);
        out.name(to);
      }),
    ),
    ...refused.map((vip) => entry(KIND_REFUSED, () => out.address(vip))),
    ...poor.map((vip) => entry(KIND_POOR, () => out.address(vip))),
    ...unseen.map((vip) => entry(KIND_UNSEEN, () => out.address(vip))),
    ...macs.map((mac) => entry(KIND_MAC, () => out.u48(mac))),
  ];
}

function readPart(reader: FieldReader, ownSession: number): HeartbeatPart {
  const part = reader.u8();
  const parts = reader.u8();
  if (part >= parts) throw new RangeError("no such part");
  const flags = reader.u8();
  const from = reader.name();
  const session = reader.u48();
  const sequence = reader.u48();
  const version = reader.u32();
  const heard: Heard[] = [];
  for (let count = reader.u16(); count > 0; count--) {
    const nameAt = reader.skipName();
    const sessionOf = reader.u48();
    const has = reader.u32() | 0;
    const held = (reader.u8() & HELD) !== 0;
    // Most are about the others who got this as well.
    if (!held && sessionOf !== ownSession) continue;
    heard.push({ node: reader.nameAt(nameAt), session: sessionOf, version: has, held });
  }
  const moves: MoveRequest[] = [];
  for (let count = reader.u8(); count > 0; count--) moves.push({ vip: reader.address(), to: reader.name() });
  const statement = readStatement(reader);
  reader.end();
  return {
    part,
    parts,
    heartbeat: {
      from,
      session,
      sequence,
      ready: (flags & FLAG_READY) !== 0,
      draining: (flags & FLAG_DRAINING) !== 0,
      heard,
      version,
      statement: (flags & FLAG_STATEMENT) === 0 ? null : statement,
      moves,
    },
  };
}

function readStatement(reader: FieldReader): Statement {
  let count = reader.u16();
  if (count === 0) return EMPTY_STATEMENT;
  const statement = {
    claims: [] as Statement["claims"][number][],
    handovers: [] as Statement["handovers"][number][],
    refused: [] as string[],
    poor: [] as string[],
    macs: [] as number[],
    unseen: [] as string[],
  };
  for (; count > 0; count--) {
    const kind = reader.u8();
    if (kind === KIND_MAC) {
      statement.macs.push(reader.u48());
      continue;
    }
    const vip = reader.address();
    if (kind === KIND_REFUSED) statement.refused.push(vip);
    else if (kind === KIND_POOR) statement.poor.push(vip);
    else if (kind === KIND_UNSEEN) statement.unseen.push(vip);
    else {
      const term = reader.u32();
      const flags = reader.u8();
      const pinned = (flags & PINNED) !== 0;
      if (kind === KIND_CLAIM) statement.claims.push({ vip, term, weak: (flags & WEAK) !== 0, pinned });
      else if (kind === KIND_HANDOVER) statement.handovers.push({ vip, term, to: reader.name(), pinned });
      else throw new RangeError("an entry of an unknown kind");
    }
  }
  return statement;
}

/** Behind the name and the session. */
function sequenceAt(datagram: Uint8Array): number {
  return NAME_AT + 1 + datagram[NAME_AT]! + 6;
}

/** In constant time: how much of a guess was right must not show. */
function isSame(code: Uint8Array, datagram: Uint8Array, at: number): boolean {
  let difference = 0;
  for (let i = 0; i < CODE_BYTES; i++) difference |= code[i]! ^ datagram[at + i]!;
  return difference === 0;
}
