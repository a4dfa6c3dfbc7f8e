/**
 * What nodes say to each other about themselves, sealed: only who has the cluster's secret can read or make it (AES-256-GCM).
 *
 *   salt 32 | ciphertext | tag 16
 *
 * Each message has a key of its own, derived from the salt (HKDF, RFC 5869), so no nonce can be used twice however many
 * are sent. An answer is bound to the sealed question: a recorded one is good for nothing.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

const SALT_BYTES = 32;
const TAG_BYTES = 16;
const ALGORITHM = "aes-256-gcm";
const NONCE = Buffer.alloc(12);

/** @param to what the message answers; for a question, nothing. */
export function seal(key: Uint8Array, message: string, to: Uint8Array): Buffer {
  const salt = randomBytes(SALT_BYTES);
  const cipher = createCipheriv(ALGORITHM, messageKey(key, salt), NONCE).setAAD(to);
  return Buffer.concat([salt, cipher.update(message, "utf8"), cipher.final(), cipher.getAuthTag()]);
}

/** `null` for what another secret has sealed, what was changed on its way, and what answers something else. */
export function unseal(key: Uint8Array, sealed: Uint8Array, to: Uint8Array): string | null {
  if (sealed.length < SALT_BYTES + TAG_BYTES) return null;
  const ends = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(ALGORITHM, messageKey(key, sealed.subarray(0, SALT_BYTES)), NONCE)
    .setAAD(to)
    .setAuthTag(sealed.subarray(ends));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(SALT_BYTES, ends)), decipher.final()]).toString("utf8");
  } catch {
    return null;
  }
}

function messageKey(key: Uint8Array, salt: Uint8Array): Buffer {
  return Buffer.from(hkdfSync("sha256", key, salt, "sluice fleet", 32));
}
