/** SHA-256 (FIPS 180-4) without the platform's: for choices that all nodes must make alike, in rooms without effects. */

/** The fractional parts of cube and square roots of primes, as the standard makes them. */
function fractions(count: number, root: (prime: number) => number): Uint32Array {
  const out = new Uint32Array(count);
  for (let candidate = 2, found = 0; found < count; candidate++) {
    let isPrime = true;
    for (let factor = 2; factor * factor <= candidate; factor++) if (candidate % factor === 0) isPrime = false;
    if (isPrime) out[found++] = (root(candidate) % 1) * 2 ** 32;
  }
  return out;
}

const ROUND_CONSTANTS = fractions(64, Math.cbrt);
const START = fractions(8, Math.sqrt);

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

/** 64 hexadecimal digits. */
export function sha256(text: string): string {
  const message = new TextEncoder().encode(text);
  const padded = new DataView(new ArrayBuffer((((message.length + 8) >> 6) + 1) << 6));
  message.forEach((byte, at) => {
    padded.setUint8(at, byte);
  });
  padded.setUint8(message.length, 0x80);
  padded.setUint32(padded.byteLength - 8, Math.floor(message.length / 2 ** 29));
  padded.setUint32(padded.byteLength - 4, message.length << 3);
  const state = START.slice();
  const words = new Uint32Array(64);
  for (let block = 0; block < padded.byteLength; block += 64) {
    for (let at = 0; at < 16; at++) words[at] = padded.getUint32(block + 4 * at);
    for (let at = 16; at < 64; at++) {
      const a = words[at - 15]!;
      const b = words[at - 2]!;
      const small = rotated(a, 7) ^ rotated(a, 18) ^ (a >>> 3);
      const large = rotated(b, 17) ^ rotated(b, 19) ^ (b >>> 10);
      words[at] = words[at - 16]! + small + words[at - 7]! + large;
    }
    compress(state, words);
  }
  return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
}

function compress(state: Uint32Array, words: Uint32Array): void {
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let at = 0; at < 64; at++) {
    const sum1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const first = (h + sum1 + ((e & f) ^ (~e & g)) + ROUND_CONSTANTS[at]! + words[at]!) | 0;
    const sum0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
    const second = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, at) => {
    state[at]! += word;
  });
}
