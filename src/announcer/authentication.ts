/**
 * The authentication code of heartbeats: HMAC with SHA-256 (RFC 2104). Made of two plain hashes, since Node prepares a key
 * anew for each HMAC, which takes several times as long as the hashing (`npm run bench -- l2`).
 */
import { hash } from "node:crypto";
import { type Authenticate, MOST_OCTETS } from "../l2/heartbeat-codec.ts";

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;

/** @param key at most 64 bytes. */
export function authenticator(key: Uint8Array): Authenticate {
  const inner = new Uint8Array(BLOCK_BYTES + MOST_OCTETS);
  const outer = new Uint8Array(BLOCK_BYTES + HASH_BYTES);
  for (let i = 0; i < BLOCK_BYTES; i++) {
    inner[i] = (key[i] ?? 0) ^ 0x36;
    outer[i] = (key[i] ?? 0) ^ 0x5c;
  }
  const code = new Uint8Array(HASH_BYTES);
  /** What is hashed, by its length: heartbeats have few, and each view that is made costs as much as a hash. */
  const views = new Map<number, Uint8Array>();
  return (octets, length) => {
    if (octets.length > MOST_OCTETS) throw new RangeError("a heartbeat is shorter than this");
    let view = views.get(length);
    if (view === undefined) {
      view = inner.subarray(0, BLOCK_BYTES + length);
      views.set(length, view);
    }
    // All of a datagram that came, its own code too: a view of less is one object more for each.
    inner.set(octets, BLOCK_BYTES);
    store(hash("sha256", view, "binary"), outer, BLOCK_BYTES);
    store(hash("sha256", outer, "binary"), code, 0);
    return code;
  };
}

/** A digest as text, an octet a character, is several times as cheap as one in a buffer of its own. */
function store(digest: string, into: Uint8Array, at: number): void {
  for (let i = 0; i < HASH_BYTES; i++) into[at + i] = digest.charCodeAt(i);
}
