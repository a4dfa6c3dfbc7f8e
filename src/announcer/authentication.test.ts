import { createHmac, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { authenticator } from "./authentication.ts";

test("the code is the HMAC of RFC 2104, whatever was authenticated before", () => {
  const key = randomBytes(32);
  const authenticate = authenticator(key);
  for (const length of [0, 1, 300, 55, 64, 2048, 100]) {
    const octets = randomBytes(length);
    expect(Buffer.from(authenticate(octets, length))).toEqual(createHmac("sha256", key).update(octets).digest());
  }
});
