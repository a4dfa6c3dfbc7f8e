import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gather } from "./bundle.ts";

let folder: string;
let server: Server;
const asked: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-bundle-"));
  server = createServer(({ url }, response) => {
    asked.push(url!);
    if (url === "/v1/l2/owners") response.writeHead(500).end('{"error":"still starting"}');
    else response.end(url === "/metrics" ? "sluice_up 1\n" : '{"node":"n1"}');
  });
  await new Promise<void>((resolve) => server.listen(join(folder, "s.sock"), resolve));
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

test("has what the process says, and an error only where one is", async () => {
  const { answers, kernel } = await gather(join(folder, "s.sock"), false);
  expect(kernel).not.toBe("");
  expect(answers["/v1/status"]).toEqual({ node: "n1" });
  expect(answers["/metrics"]).toBe("sluice_up 1\n");
  expect(JSON.stringify(answers["/v1/l2/owners"])).toContain("still starting");
});

test("names clients only when it is told to", async () => {
  asked.length = 0;
  await gather(join(folder, "s.sock"), false);
  expect(asked.some((path) => path.includes("flows"))).toBe(false);
  const { answers } = await gather(join(folder, "s.sock"), true);
  expect(Object.keys(answers)).toContain("/v1/flows?limit=1000");
});

test("without a gateway it says so, part by part", async () => {
  const { answers } = await gather(join(folder, "none.sock"), false);
  expect(JSON.stringify(answers["/v1/status"])).toContain("nothing listens there");
});
