/**
 * One request or reply as one line of JSON: the language between a gateway and a speaker in a process of its own. Octets,
 * which JSON has not, travel as `{"octets": "base64"}`.
 */

/** Longer than the declaration of a million routes: what exceeds it is no client of ours. */
const MOST_CHARACTERS = 1 << 29;

export function lineOf(value: object): string {
  return `${JSON.stringify(value, (_key, field) => (field instanceof Uint8Array ? octetsToJson(field) : field))}\n`;
}

export function parseLine(line: string): unknown {
  return JSON.parse(line, (_key, field) => (isOctets(field) ? Buffer.from(field.octets, "base64") : field));
}

function octetsToJson(octets: Uint8Array): { octets: string } {
  return { octets: Buffer.from(octets).toString("base64") };
}

function isOctets(field: unknown): field is { octets: string } {
  return typeof field === "object" && field !== null && typeof (field as { octets?: unknown }).octets === "string";
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
