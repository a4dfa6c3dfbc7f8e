/**
 * Heartbeats as datagrams, each of at most 1200 bytes. All numbers in network order. Pure: the authentication code is computed
 * by a function that is given.
 *
 *   0 "SL2" version=1   4 part=0   5 parts: 1, or 2 where sheets hold the statement   6 flags   7 length of the name, the name
 *   . session 48   sequence 48   statement's version 32
 *   . heard: count 16, each: name, session 48, version 32, flags 8: all who get this, each looks for its own session. The first
 *     has no name and session 0: in place of a version, after how many milliseconds of silence its sender is dead; versions of
 *     the program that don't know that pass it over, as they do with what is said of others
 *   . moves: count 8, each: address, name
 *   . entries of the statement: count 16, then as statement-entries.ts has them
 *   . authentication code, 16 bytes, over everything before it
 *
 * A statement that does not fit goes before its heartbeat, on sheets, which say nothing else. Versions of the program that know
 * no sheets pass them over, and take the heartbeat for one whose second part is lost: its sender lives.
 *
 *   0 "SL2" version=2   4 zero 16   6 flags   7 length of the name, the name
 *   . session 48   sequence 48   statement's version 32   sheet 16, sheets 16
 *   . entries, authentication code: as above
 *
 * A name is its length (8 bits) and its UTF-8, an address 16 bytes (IPv4 as ::ffff:a.b.c.d).
 */
import type { Heard, Heartbeat, MoveRequest, Statement } from "./heartbeat.ts";
import { FieldReader, FieldWriter } from "./message-fields.ts";
import { readStatement, statementEntries } from "./statement-entries.ts";

/**
 * Authenticates the first `length` octets: HMAC with the cluster's secret, of which `CODE_BYTES` are used. What it gives is good
 * until the next call.
 */
export type Authenticate = (octets: Uint8Array, length: number) => Uint8Array;

export const CODE_BYTES = 16;
export const LONGEST_DATAGRAM = 1200;
/** What a reader takes: names may be so long that one part is longer than datagrams are meant to be. */
export const MOST_OCTETS = 2048;
const HEARTBEAT_MAGIC = 0x534c3201;
const SHEET_MAGIC = 0x534c3202;
/** Of three million addresses: no node has so many. */
const MOST_SHEETS = 0xffff;
/** A power of two, larger than most links have nodes. */
const KNOWN_NAMES = 256;

const FLAG_READY = 1;
const FLAG_DRAINING = 2;
const FLAG_STATEMENT = 4;
const FLAG_URGENT = 8;
/** By which bit of which octet a datagram with news is told from one that only says that a node lives. */
export const URGENT = { offset: 6, mask: FLAG_URGENT } as const;
/** The length of the sender's name; session and sequence number follow it. */
export const NAME_AT = 7;
const HELD = 1;

/** A heartbeat, read. */
export interface HeartbeatDatagram {
  readonly heartbeat: Heartbeat;
  /** It has a statement, which is not in it but on sheets. */
  readonly onSheets: boolean;
}

/** A part of a statement, read. */
export interface StatementSheet {
  readonly from: string;
  readonly session: number;
  readonly version: number;
  /** 0 to `sheets` - 1. */
  readonly sheet: number;
  readonly sheets: number;
  readonly statement: Statement;
}

/** Writes datagrams. */
export class HeartbeatEncoder {
  readonly #authenticate: Authenticate;
  readonly #out = new FieldWriter();

  constructor(authenticate: Authenticate) {
    this.#authenticate = authenticate;
  }

  /** In the order in which they are to be sent. @throws where a name is longer than any node's. */
  encode(heartbeat: Heartbeat): Uint8Array[] {
    this.#out.clear();
    const entries = heartbeat.statement === null ? [] : statementEntries(heartbeat.statement, this.#out);
    const octets = entries.reduce((sum, { length }) => sum + length, 0);
    writeHead(this.#out, heartbeat, 1);
    if (entries.length === 0 || this.#out.length + 2 + octets <= LONGEST_DATAGRAM - CODE_BYTES)
      return [this.#sealed(entries)];
    const sheets = this.#sheets(heartbeat, entries);
    writeHead(this.#out, heartbeat, 2);
    return [...sheets, this.#sealed([])];
  }

  #sheets(heartbeat: Heartbeat, entries: readonly Uint8Array[]): Uint8Array[] {
    writeSheetHead(this.#out, heartbeat, 0, 0);
    const room = LONGEST_DATAGRAM - CODE_BYTES - 2 - this.#out.length;
    const bodies: Uint8Array[][] = [];
    let free = 0;
    for (const entry of entries) {
      if (entry.length > free) {
        bodies.push([]);
        free = room;
      }
      bodies.at(-1)!.push(entry);
      free -= entry.length;
    }
    if (bodies.length > MOST_SHEETS) throw new RangeError(`more addresses than ${MOST_SHEETS} datagrams can carry`);
    return bodies.map((body, sheet) => {
      writeSheetHead(this.#out, heartbeat, sheet, bodies.length);
      return this.#sealed(body);
    });
  }

  /** What has been written, with entries and the code. */
  #sealed(entries: readonly Uint8Array[]): Uint8Array {
    this.#out.u16(entries.length);
    for (const entry of entries) this.#out.bytes(entry);
    const octets = this.#out.take();
    const datagram = new Uint8Array(octets.length + CODE_BYTES);
    datagram.set(octets);
    datagram.set(this.#authenticate(octets, octets.length).subarray(0, CODE_BYTES), octets.length);
    return datagram;
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
  decode(datagram: Uint8Array, session: number): HeartbeatDatagram | StatementSheet | null {
    if (datagram.length < 8 + CODE_BYTES || datagram.length > MOST_OCTETS) return null;
    const length = datagram.length - CODE_BYTES;
    const reader = new FieldReader(datagram, length, this.#names);
    const magic = reader.u32();
    if (magic !== HEARTBEAT_MAGIC && magic !== SHEET_MAGIC) return null;
    if (!isSame(this.#authenticate(datagram, length), datagram, length)) return null;
    try {
      return magic === SHEET_MAGIC ? readSheet(reader) : readHeartbeat(reader, session);
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
    }
  }
}

function writeHead(out: FieldWriter, heartbeat: Heartbeat, parts: number): void {
  out.clear();
  out.u32(HEARTBEAT_MAGIC);
  out.u8(0);
  out.u8(parts);
  const flags = (heartbeat.ready ? FLAG_READY : 0) | (heartbeat.draining ? FLAG_DRAINING : 0);
  const isNews = heartbeat.statement !== null || heartbeat.moves.length > 0;
  out.u8(flags | (heartbeat.statement === null ? 0 : FLAG_STATEMENT) | (isNews ? FLAG_URGENT : 0));
  out.name(heartbeat.from);
  out.u48(heartbeat.session);
  out.u48(heartbeat.sequence);
  out.u32(heartbeat.version);
  const { patienceMilliseconds: patience } = heartbeat;
  out.u16(heartbeat.heard.length + (patience === null ? 0 : 1));
  if (patience !== null) writeHeard(out, { node: "", session: 0, version: patience, held: false });
  for (const one of heartbeat.heard) writeHeard(out, one);
  out.u8(heartbeat.moves.length);
  for (const { vip, to } of heartbeat.moves) {
    out.address(vip);
    out.name(to);
  }
}

function writeHeard(out: FieldWriter, { node, session, version, held }: Heard): void {
  out.name(node);
  out.u48(session);
  // -1, for none, is all ones.
  out.u32(version >>> 0);
  out.u8(held ? HELD : 0);
}

function writeSheetHead(out: FieldWriter, heartbeat: Heartbeat, sheet: number, sheets: number): void {
  out.clear();
  out.u32(SHEET_MAGIC);
  out.u16(0);
  out.u8(FLAG_URGENT);
  out.name(heartbeat.from);
  out.u48(heartbeat.session);
  out.u48(heartbeat.sequence);
  out.u32(heartbeat.version);
  out.u16(sheet);
  out.u16(sheets);
}

function readHeartbeat(reader: FieldReader, ownSession: number): HeartbeatDatagram {
  const part = reader.u8();
  const parts = reader.u8();
  if (part >= parts) throw new RangeError("no such part");
  const flags = reader.u8();
  const from = reader.name();
  const session = reader.u48();
  const sequence = reader.u48();
  const version = reader.u32();
  const heard: Heard[] = [];
  let patienceMilliseconds: number | null = null;
  for (let count = reader.u16(); count > 0; count--) {
    const nameAt = reader.skipName();
    const sessionOf = reader.u48();
    const has = reader.u32() | 0;
    const held = (reader.u8() & HELD) !== 0;
    // No member is without a name.
    if (sessionOf === 0 && reader.nameAt(nameAt) === "") patienceMilliseconds = has;
    // Most are about the others who got this as well.
    if (!held && sessionOf !== ownSession) continue;
    heard.push({ node: reader.nameAt(nameAt), session: sessionOf, version: has, held });
  }
  const moves: MoveRequest[] = [];
  for (let count = reader.u8(); count > 0; count--) moves.push({ vip: reader.address(), to: reader.name() });
  const statement = readStatement(reader);
  reader.end();
  const onSheets = parts !== 1;
  return {
    onSheets,
    heartbeat: {
      from,
      session,
      sequence,
      ready: (flags & FLAG_READY) !== 0,
      draining: (flags & FLAG_DRAINING) !== 0,
      patienceMilliseconds,
      heard,
      version,
      statement: onSheets || (flags & FLAG_STATEMENT) === 0 ? null : statement,
      moves,
    },
  };
}

function readSheet(reader: FieldReader): StatementSheet {
  reader.u16();
  reader.u8();
  const from = reader.name();
  const session = reader.u48();
  // Of the heartbeat that it goes with: only that one says that its sender lives.
  reader.u48();
  const version = reader.u32();
  const sheet = reader.u16();
  const sheets = reader.u16();
  if (sheet >= sheets) throw new RangeError("no such sheet");
  const statement = readStatement(reader);
  reader.end();
  return { from, session, version, sheet, sheets, statement };
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
