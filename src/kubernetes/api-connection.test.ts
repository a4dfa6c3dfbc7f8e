import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ApiConnection } from "./api-connection.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-kubeconfig-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["a: [\n", /is no kubeconfig: .+$/],
  ["", /is no kubeconfig: .+$/],
  ["kind: Config\n", /its current context names no cluster$/],
  ["current-context: gone\nclusters: []\nusers: []\ncontexts: []\n", /its current context names no cluster$/],
])("a kubeconfig that leads nowhere is named with the reason: %j", (text, said) => {
  const file = join(folder, "kubeconfig");
  writeFileSync(file, text);
  let message = "";
  try {
    new ApiConnection(file);
  } catch (error) {
    ({ message } = error as Error);
  }
  expect(message).toMatch(said);
  expect(message.startsWith(`${file}: `)).toBe(true);
});
