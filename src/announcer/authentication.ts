/**
 * The authentication code of heartbeats: HMAC with SHA-256 (RFC 2104). Made of two plain hashes, since Node prepares a key
 * anew for each HMAC, which takes several times as long as the hashing (`npm run bench -- l2`).
 */
import { hash } from "node:crypto";
import type { Authenticate } from "../l2/heartbeat-codec.ts";

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
const LONGEST = 2048;

/** @param key at most 64 bytes. */
export function authenticator(key: Uint8Array): Authenticate {
  const inner = new Uint8Array(BLOCK_BYTES + LONGEST);
  const outer = new Uint8Array(BLOCK_BYTES + HASH_BYTES);
  for (let i = 0; i < BLOCK_BYTES; i++) {
    inner[i] = (key[i] ?? 0) ^ 0x36;
    outer[i] = (key[i] ?? 0) ^ 0x5c;
  }
  return (octets) => {
    if (octets.length > LONGEST) throw new RangeError("a heartbeat is shorter than this");
    inner.set(octets, BLOCK_BYTES);
    outer.set(hash("sha256", inner.subarray(0, BLOCK_BYTES + octets.length), "buffer"), BLOCK_BYTES);
    return hash("sha256", outer, "buffer");
  };
}
