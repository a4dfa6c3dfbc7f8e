/** Bytes that look random and are the same everywhere, so that both ends of a transfer know what must arrive. */
import { createCipheriv, createHash } from "node:crypto";

export const TWENTY_MEGABYTES = 20_000_000;

/** The key stream of AES in counter mode under a zero key: no repeats that an offset error could hide behind. */
export function deterministicBody(lengthBytes: number): Buffer {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(lengthBytes));
}

export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
