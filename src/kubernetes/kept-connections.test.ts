import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ApiConnection } from "./api-connection.ts";

const TLS = join(import.meta.dirname, "../../test/data/tls");
const CERTIFICATE = join(TLS, "certificate.pem");

let folder: string;
let server: Server;
let connections: number;
/** Answers held back until there are so many. */
let together: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  connections = 0;
  together = 1;
  const waiting: (() => void)[] = [];
  const credentials = { cert: readFileSync(CERTIFICATE), key: readFileSync(join(TLS, "key.pem")) };
  server = createServer(credentials, (_request, response) => {
    waiting.push(() => response.end('{"ok": true}'));
    if (waiting.length >= together) for (const answer of waiting.splice(0)) answer();
  });
  server.on("secureConnection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

/** @param authority file of the certificate that the server must show. */
function kubeconfig(authority: string): string {
  const path = join(folder, "kubeconfig");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(
    path,
    `{apiVersion: v1, kind: Config, current-context: it,
clusters: [{name: it, cluster: {server: "${url}", certificate-authority: ${authority}, tls-server-name: localhost}}],
users: [{name: it, user: {token: secret}}],
contexts: [{name: it, context: {cluster: it, user: it}}]}`,
  );
  return path;
}

/** An answer can be read a moment before its connection counts as free, and then the next request takes another one. */
const EACH = 2;

test("requests one after another share connections, and those at once have one each", async () => {
  const api = new ApiConnection(kubeconfig(CERTIFICATE));
  for (let request = 0; request < 10; request++) expect(await api.get("/version")).toEqual({ ok: true });
  expect(connections).toBeLessThanOrEqual(EACH);
  together = 5;
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: together }, () => api.patch("/version", {})));
  }
  expect(connections).toBeGreaterThanOrEqual(together);
  expect(connections).toBeLessThanOrEqual(EACH * together);
});

test("credentials that have changed begin new connections", async () => {
  const authority = join(folder, "authority.pem");
  writeFileSync(authority, readFileSync(CERTIFICATE));
  const api = new ApiConnection(kubeconfig(authority));
  await api.get("/version");
  const before = connections;
  writeFileSync(authority, `${readFileSync(CERTIFICATE, "utf8")}\n`);
  for (let request = 0; request < 10; request++) await api.get("/version");
  expect(connections).toBeGreaterThan(before);
  expect(connections).toBeLessThanOrEqual(before + EACH);
});
