/**
 * Big-endian octets: reading numbers out of a message and growing one while it is written.
 *
 * The read functions trust their caller: each decoder compares lengths first and answers with a `Fault` when an octet is
 * missing, so nothing here checks bounds and nothing here throws.
 */

export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function formatHex(bytes: Uint8Array): string {
  let text = "";
  for (const octet of bytes) text += octet.toString(16).padStart(2, "0");
  return text;
}

/** Octets of hex text (blanks allowed between octets); `null` when it is anything else. */
export function parseHex(text: string): Uint8Array | null {
  const digits = text.replaceAll(/\s+/g, "");
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) return null;
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** A growing run of octets. Length fields are reserved first and patched when their content is known. */
export class OctetWriter {
  #bytes: Uint8Array;
  length = 0;

  constructor(capacityBytes = 256) {
    this.#bytes = new Uint8Array(capacityBytes);
  }

  u8(value: number): this {
    this.#room(1);
    this.#bytes[this.length++] = value;
    return this;
  }

  u16(value: number): this {
    return this.u8(value >>> 8).u8(value);
  }

  u32(value: number): this {
    this.#room(4);
    const at = this.length;
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
    this.length = at + 4;
    return this;
  }

  octets(value: Uint8Array): this {
    this.#room(value.length);
    this.#bytes.set(value, this.length);
    this.length += value.length;
    return this;
  }

  patchU8(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  patchU16(at: number, value: number): void {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  /** A copy of what was written; the writer may go on. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }

  #room(lengthBytes: number): void {
    const needed = this.length + lengthBytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
