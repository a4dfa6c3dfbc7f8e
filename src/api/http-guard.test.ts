import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { HttpGuard } from "./http-guard.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-guard-"));
const tokenFile = join(folder, "token");
writeFileSync(tokenFile, "s3cret\n");
afterAll(() => rmSync(folder, { recursive: true }));

const statusOf = (guard: HttpGuard, headers: Record<string, string>, url = "/v1/status") =>
  guard.refusal({ headers, url } as unknown as IncomingMessage)?.status ?? null;
const basic = (pair: string) => `Basic ${Buffer.from(pair).toString("base64")}`;

test("without a token an address and localhost are answered, a name that somebody may have pointed here is not", () => {
  const guard = new HttpGuard(null);
  for (const host of ["127.0.0.1:9472", "localhost:9472", "[::1]:9472", "192.0.2.1"]) {
    expect(statusOf(guard, { host }), host).toBeNull();
  }
  for (const host of ["evil.example:9472", "127.0.0.1.evil.example", ""])
    expect(statusOf(guard, { host }), host).toBe(403);
});

test("with a token only who knows it is answered, as a bearer or by a browser's question for a password", () => {
  const guard = new HttpGuard(tokenFile);
  expect(statusOf(guard, { host: "gateway.example", authorization: "Bearer s3cret" })).toBeNull();
  expect(statusOf(guard, { host: "gateway.example", authorization: basic("anybody:s3cret") })).toBeNull();
  for (const authorization of ["", "Bearer", "Bearer s3cre", "Bearer s3cret2", basic("s3cret:"), "Digest s3cret"]) {
    expect(statusOf(guard, { host: "127.0.0.1", authorization }), authorization).toBe(401);
  }
});

test("probes need no token, for a kubelet has none", () => {
  const guard = new HttpGuard(tokenFile);
  expect(statusOf(guard, { host: "10.0.0.1" }, "/livez")).toBeNull();
  expect(statusOf(guard, { host: "10.0.0.1" }, "/readyz?verbose")).toBeNull();
  expect(statusOf(guard, { host: "10.0.0.1" }, "/livez/../v1/status")).toBe(401);
});

test("an empty token is no token, and refused at the start", () => {
  const empty = join(folder, "empty");
  writeFileSync(empty, "\n");
  expect(() => new HttpGuard(empty)).toThrow(`--http-token ${empty}: the file is empty`);
});
