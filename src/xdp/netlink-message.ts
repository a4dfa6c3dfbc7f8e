/**
 * The envelope of netlink: messages of a header, a fixed part and attributes. Pure.
 *
 *   | length 32 | type 16 | flags 16 | sequence 32 | port 32 | fixed part | attribute | attribute | ...
 *   attribute: | length 16 | type 16 | value | padding to 4 |           numbers are in host order (little-endian here)
 *
 * A message that is cut short or lies about its lengths ends the reading: the kernel writes none, but a reader stays
 * inside its bounds anyhow.
 */

export const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
/** The two top bits of an attribute's type say "nested" and "network order". */
const ATTRIBUTE_TYPE_MASK = 0x3fff;

/** The kernel's queue overflowed: notifications were lost (native/addon/netlink.h puts it into the stream). */
export const NLMSG_OVERRUN = 4;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
/** In a dump: the tables changed meanwhile, it may be inconsistent. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_DUMP = 0x300;
export const NLM_F_CREATE = 0x400;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  /** Everything behind the header. */
  readonly body: DataView;
}

const align = (length: number) => (length + 3) & ~3;

/** The whole messages at the start of `bytes`, and how many bytes they take: the rest of a stream comes later. */
export function readMessages(bytes: Uint8Array): { messages: NetlinkMessage[]; consumedBytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      body: new DataView(bytes.buffer, bytes.byteOffset + at + HEADER_BYTES, length - HEADER_BYTES),
    });
    at = Math.min(at + align(length), bytes.length);
  }
  return { messages, consumedBytes: at };
}

export type Attributes = ReadonlyMap<number, DataView>;

/** The attributes behind the first `offset` bytes; of two of one type the last counts. */
export function readAttributes(view: DataView, offset: number): Attributes {
  const attributes = new Map<number, DataView>();
  let at = offset;
  while (at + ATTRIBUTE_HEADER_BYTES <= view.byteLength) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > view.byteLength) break;
    const value = new DataView(
      view.buffer,
      view.byteOffset + at + ATTRIBUTE_HEADER_BYTES,
      length - ATTRIBUTE_HEADER_BYTES,
    );
    attributes.set(view.getUint16(at + 2, true) & ATTRIBUTE_TYPE_MASK, value);
    at += align(length);
  }
  return attributes;
}

export function attributeUint32(attributes: Attributes, type: number): number | null {
  const value = attributes.get(type);
  return value === undefined || value.byteLength < 4 ? null : value.getUint32(0, true);
}

/** Text up to its terminating zero. */
export function attributeText(attributes: Attributes, type: number): string | null {
  const bytes = attributeBytes(attributes, type);
  if (bytes === null) return null;
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

export function attributeBytes(attributes: Attributes, type: number): Uint8Array | null {
  const value = attributes.get(type);
  return value === undefined ? null : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** Grows a message; `finish` fills in its length. */
export class MessageBuilder {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = HEADER_BYTES;

  /** @param fixed the message's fixed part, its fields already in place. */
  constructor(type: number, flags: number, fixed: Uint8Array) {
    this.#view.setUint16(4, type, true);
    this.#view.setUint16(6, flags, true);
    this.raw(fixed);
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(align(bytes.length));
    this.#bytes.set(bytes, this.#length);
    this.#length += align(bytes.length);
    return this;
  }

  bytes(type: number, value: Uint8Array): this {
    this.#reserve(ATTRIBUTE_HEADER_BYTES);
    this.#view.setUint16(this.#length, ATTRIBUTE_HEADER_BYTES + value.length, true);
    this.#view.setUint16(this.#length + 2, type, true);
    this.#length += ATTRIBUTE_HEADER_BYTES;
    return this.raw(value);
  }

  uint32(type: number, value: number): this {
    return this.bytes(type, new Uint8Array(Uint32Array.of(value).buffer));
  }

  text(type: number, value: string): this {
    return this.bytes(type, new TextEncoder().encode(`${value}\0`));
  }

  /** An attribute whose value is what `fill` adds. */
  nested(type: number, fill: (inside: this) => void): this {
    const start = this.#length;
    this.bytes(type, new Uint8Array(0));
    fill(this);
    this.#view.setUint16(start, this.#length - start, true);
    return this;
  }

  finish(): Uint8Array {
    this.#view.setUint32(0, this.#length, true);
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(this.#bytes.length * 2 + more);
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
