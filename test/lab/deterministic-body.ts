/** Bytes that look random and are the same everywhere, so that both ends of a transfer know what must arrive. */
import { createCipheriv, createHash } from "node:crypto";
import { appendFileSync } from "node:fs";

export const TWENTY_MEGABYTES = 20_000_000;

/** The key stream of AES in counter mode under a zero key: no repeats that an offset error could hide behind. */
export function deterministicBody(lengthBytes: number): Buffer {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(lengthBytes));
}

/** The same bytes piece by piece, for bodies too long to hold. */
export function* deterministicPieces(lengthBytes: number): Generator<Buffer> {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  const zeros = Buffer.alloc(1 << 20);
  for (let rest = lengthBytes; rest > 0; rest -= zeros.length) yield cipher.update(zeros.subarray(0, rest));
}

/** Writes such a body to a new file. @returns its SHA-256. */
export function writeDeterministicBody(file: string, lengthBytes: number): string {
  const hash = createHash("sha256");
  for (const piece of deterministicPieces(lengthBytes)) {
    appendFileSync(file, piece);
    hash.update(piece);
  }
  return hash.digest("hex");
}

export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
