/**
 * HMAC with SHA-256 (RFC 2104) by the addon, which prepares the key once: half a microsecond for a heartbeat. Node prepares it for
 * each code, which takes 15.
 */
import { native } from "./native.ts";

const CODE_BYTES = 32;

/**
 * @param key at most 64 octets.
 * @returns what gives the code of the first `length` octets, good until the next call.
 * @throws in words where this Node.js has no OpenSSL for addons.
 */
export function authenticator(key: Uint8Array): (octets: Uint8Array, length: number) => Uint8Array {
  const addon = new native.Authenticator(key);
  const code = new Uint8Array(CODE_BYTES);
  return (octets, length) => {
    addon.compute(octets, length, code);
    return code;
  };
}
