/** The lines of a file, or of standard input, one at a time. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** @param path `-` is standard input. */
export async function* readLines(path: string): AsyncGenerator<string> {
  const input = path === "-" ? process.stdin : createReadStream(path);
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() !== "") yield line;
  }
}
