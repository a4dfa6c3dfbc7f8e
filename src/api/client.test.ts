import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ask } from "./client.ts";

test("a question is answered although the other side has just ended the connection of the one before", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-client-"));
  const socket = join(folder, "s.sock");
  const server = createServer((_, response) => response.end('"answer"'));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  expect(await ask(socket, "/v1/status")).toBe("answer");
  server.closeAllConnections();
  expect(await ask(socket, "/v1/status")).toBe("answer");
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});
