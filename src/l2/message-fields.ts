/**
 * Fields of a message between nodes: numbers, names and addresses, in network order. A name is its length (8 bits) and its
 * UTF-8, an address 16 octets (IPv4 as ::ffff:a.b.c.d). Pure.
 */
import { formatIpAddress, parseIpAddress } from "../net/ip-address.ts";

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** Names that are kept as octets: more than most links have nodes. */
const MOST_NAMES = 1024;

/** Keeps its memory and the octets of names, so that who writes the same again and again does not make them anew. */
export class FieldWriter {
  readonly #names = new Map<string, Uint8Array>();
  #octets = new Uint8Array(512);
  #view = new DataView(this.#octets.buffer);
  #length = 0;

  /** What has been written, good until more is: the next octet is a first one again. */
  take(): Uint8Array {
    const taken = this.#octets.subarray(0, this.#length);
    this.clear();
    return taken;
  }

  /** Octets written. */
  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#octets[this.#length++] = value;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  u48(value: number): void {
    this.u16(Math.floor(value / 2 ** 32));
    this.u32(value % 2 ** 32);
  }

  name(text: string): void {
    let octets = this.#names.get(text);
    if (octets === undefined) {
      octets = ENCODER.encode(text);
      if (octets.length > 255) throw new RangeError(`the name ${text} is too long`);
      if (this.#names.size === MOST_NAMES) this.#names.clear();
      this.#names.set(text, octets);
    }
    this.u8(octets.length);
    this.bytes(octets);
  }

  address(text: string): void {
    const address = parseIpAddress(text)!;
    const value = address.family === 4 ? address.value | (0xffffn << 32n) : address.value;
    for (let shift = 96n; shift >= 0n; shift -= 32n) this.u32(Number((value >> shift) & 0xffff_ffffn));
  }

  bytes(octets: Uint8Array): void {
    this.#reserve(octets.length);
    this.#octets.set(octets, this.#length);
    this.#length += octets.length;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#octets.length) return;
    const larger = new Uint8Array(2 * (this.#length + count));
    larger.set(this.#octets);
    this.#octets = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Reads only inside its bounds; a `RangeError` where the octets end too soon. */
export class FieldReader {
  readonly #view: DataView;
  readonly #names: string[];
  #at = 0;

  /**
   * @param length of what is to be read, from the first of the octets on.
   * @param names read before, as many as a power of two; shared between readers.
   */
  constructor(octets: Uint8Array, length: number, names: string[]) {
    this.#names = names;
    this.#view = new DataView(octets.buffer, octets.byteOffset, length);
  }

  u8(): number {
    return this.#view.getUint8(this.#at++);
  }

  u16(): number {
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2);
  }

  u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }

  u48(): number {
    return this.u16() * 2 ** 32 + this.u32();
  }

  name(): string {
    return this.nameAt(this.skipName());
  }

  /** @returns where the name is. */
  skipName(): number {
    const at = this.#at;
    const length = this.u8();
    this.#at += this.#need(length);
    return at;
  }

  /** Names come again and again: one that was read before is compared, and made anew only where it is another. */
  nameAt(at: number): string {
    const length = this.#view.getUint8(at);
    let hash = length;
    for (let index = 1; index <= length; index++) hash = (Math.imul(hash, 31) + this.#view.getUint8(at + index)) | 0;
    const slot = hash & (this.#names.length - 1);
    const known = this.#names[slot]!;
    if (this.#isName(at, length, known)) return known;
    const octets = new Uint8Array(this.#view.buffer, this.#view.byteOffset + at + 1, length);
    const name = DECODER.decode(octets);
    this.#names[slot] = name;
    return name;
  }

  address(): string {
    const value = (BigInt(this.u32()) << 96n) | (BigInt(this.u32()) << 64n) | (BigInt(this.u32()) << 32n);
    const low = BigInt(this.u32());
    return value === 0xffffn << 32n
      ? formatIpAddress({ family: 4, value: low })
      : formatIpAddress({ family: 6, value: value | low });
  }

  end(): void {
    if (this.#at !== this.#view.byteLength) throw new RangeError("octets are left over");
  }

  /** `false` also for what is not ASCII, which is only read more slowly. */
  #isName(at: number, length: number, name: string): boolean {
    if (length !== name.length) return false;
    for (let index = 0; index < length; index++) {
      const octet = this.#view.getUint8(at + 1 + index);
      if (octet > 0x7f || octet !== name.charCodeAt(index)) return false;
    }
    return true;
  }

  #need(count: number): number {
    if (this.#at + count > this.#view.byteLength) throw new RangeError("the octets end too soon");
    return count;
  }
}
