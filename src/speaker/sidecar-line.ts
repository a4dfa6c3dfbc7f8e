/**
 * One request or reply as one line of JSON: the language between a gateway and a speaker in a process of its own. Octets
 * and columns of numbers, which JSON has not, travel as `{"$u8": "base64"}` and `{"$u32": "base64"}`.
 */

/** Longer than the declaration of a million routes: what exceeds it is no client of ours. */
const MOST_CHARACTERS = 1 << 29;

export function lineOf(value: object): string {
  return `${JSON.stringify(value, (_key, field) => {
    if (field instanceof Uint8Array) return { $u8: base64(field) };
    return field instanceof Uint32Array ? { $u32: base64(field) } : field;
  })}\n`;
}

export function parseLine(line: string): unknown {
  return JSON.parse(line, (_key, field) => {
    if (typeof field !== "object" || field === null) return field;
    if (typeof field.$u8 === "string") return Buffer.from(field.$u8, "base64");
    if (typeof field.$u32 !== "string") return field;
    // Words need an alignment that a buffer of the pool may not have.
    return new Uint32Array(Uint8Array.from(Buffer.from(field.$u32, "base64")).buffer);
  });
}

/** Both ends are on one machine, so its own order of octets will do. */
function base64({ buffer, byteOffset, byteLength }: Uint8Array | Uint32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

/** Cuts a stream of text into lines; throws when one would never end. */
export class LineReader {
  #rest = "";

  push(text: string, take: (line: string) => void): void {
    this.#rest += text;
    if (this.#rest.length > MOST_CHARACTERS) throw new Error("a line is too long");
    if (!text.includes("\n")) return;
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) if (line !== "") take(line);
  }
}
