/** Codes by the addon are those that everybody else makes; without OpenSSL there are none, and that is said. */
import { execFileSync } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { authenticator } from "../../src/xdp/authenticator.ts";
import { RepeatSieve } from "../../src/xdp/repeat-sieve.ts";

const ROOT = join(import.meta.dirname, "../..");
const LENGTHS = [0, 1, 55, 56, 63, 64, 65, 119, 120, 300, 1200, 2047, 2048];

const byNode = (key: Uint8Array, octets: Uint8Array) => createHmac("sha256", key).update(octets).digest("hex");
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");

test("the code is the HMAC of RFC 2104, whatever was authenticated before", () => {
  const key = randomBytes(32);
  const authenticate = authenticator(key);
  for (const length of [0, 1, 300, 55, 64, 2048, 100]) {
    const octets = randomBytes(length);
    expect(Buffer.from(authenticate(octets, length))).toEqual(createHmac("sha256", key).update(octets).digest());
  }
});

test("so it is with keys and octets of any length", () => {
  for (let keyLength = 0; keyLength <= 64; keyLength++) {
    const key = randomBytes(keyLength);
    const authenticate = authenticator(key);
    for (const length of LENGTHS) {
      const octets = randomBytes(length);
      expect(hex(authenticate(octets, length)), `${keyLength}, ${length}`).toBe(byNode(key, octets));
    }
  }
});

test("it is of the first octets only, and of a view's own", () => {
  const key = randomBytes(32);
  const octets = randomBytes(300).subarray(17);
  for (const length of [0, 1, 64, 282, 283]) {
    expect(hex(authenticator(key)(octets, length))).toBe(byNode(key, octets.subarray(0, length)));
  }
});

test("the code of a test case of RFC 4231 §4.3", () => {
  const [key, octets] = [Buffer.from("Jefe"), Buffer.from("what do ya want for nothing?")];
  const code = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
  expect(hex(authenticator(key)(octets, octets.length))).toBe(code);
});

test("what it cannot do is refused in words", () => {
  expect(() => authenticator(new Uint8Array(65))).toThrow("a key has at most 64 octets");
  expect(() => new RepeatSieve(new Uint8Array(65), 7)).toThrow("a key has at most 64 octets");
  expect(() => authenticator(new Uint8Array(32))(new Uint8Array(8), 9)).toThrow("there are fewer octets than that");
});

test("by a Node.js whose OpenSSL addons may not use, all that authenticates says so at once", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-authenticator-"));
  try {
    // Each function by itself: the addon asks for a name of the same length, which nobody has.
    for (const name of ["EVP_sha256", "EVP_MD_CTX_new", "EVP_DigestFinal_ex"]) {
      const addon = join(folder, `without-${name}.node`);
      copyFileSync(join(ROOT, "build/sluice.node"), addon);
      const absent = name.replace("EVP_", "NON_");
      writeFileSync(addon, readFileSync(addon, "latin1").replaceAll(`\0${name}\0`, `\0${absent}\0`), "latin1");
      const script = `
        import { authenticator } from "./src/xdp/authenticator.ts";
        import { RepeatSieve } from "./src/xdp/repeat-sieve.ts";
        for (const begin of [() => authenticator(new Uint8Array(32)), () => new RepeatSieve(new Uint8Array(32), 7)]) {
          try {
            begin();
            console.log("begun");
          } catch ({ message }) {
            console.log(message);
          }
        }`;
      const env = { ...process.env, SLUICE_NATIVE: addon };
      const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: ROOT, env });
      const sentence = /^cannot authenticate: this Node\.js has no OpenSSL that addons may use/;
      expect(String(said).trim().split("\n"), name).toEqual([
        expect.stringMatching(sentence),
        expect.stringMatching(sentence),
      ]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
