import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ApiServer, type ApiSource } from "./server.ts";

const drained: number[] = [];
const SOURCE = {
  status: async () => ({ node: "n1" }),
  metrics: async () => "sluice_worker_up 1\n",
  ready: () => true,
  drain: async (grace: number) => void drained.push(grace),
  drainProgress: async () => ({ state: "marked" }),
} as unknown as ApiSource;

let folder: string;
let socketPath: string;
let readPort: number;
let metricsPort: number;
const api = new ApiServer(SOURCE);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-api-"));
  socketPath = join(folder, "s.sock");
  [readPort, metricsPort] = [await freePort(), await freePort()];
  await api.listenUnix(socketPath);
  await api.listenTcp(`127.0.0.1:${readPort}`);
  await api.listenForMetrics(`127.0.0.1:${metricsPort}`);
});
afterAll(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

test("the address for metrics has metrics and probes, and says nothing of who is connected to whom", async () => {
  expect(await ask({ port: metricsPort, path: "/metrics" })).toMatchObject({ status: 200 });
  expect(await ask({ port: metricsPort, path: "/livez" })).toMatchObject({ status: 200 });
  for (const path of ["/v1/status", "/v1/flows", "/v1/bgp/peers"]) {
    expect((await ask({ port: metricsPort, path })).status, path).toBe(404);
  }
});

test("the address that reads shows the status, and changes nothing", async () => {
  expect((await ask({ port: readPort, path: "/v1/status" })).body).toBe('{"node":"n1"}');
  expect((await ask({ port: readPort, path: "/v1/drain?grace=1", method: "POST" })).status).toBe(405);
  expect(drained).toEqual([]);
});

test("the unix socket changes things", async () => {
  expect((await ask({ socketPath, path: "/v1/drain?grace=7", method: "POST" })).status).toBe(200);
  expect(drained).toEqual([7]);
});

test("an address that is none names the option it was given to", () => {
  expect(() => api.listenForMetrics("9474")).toThrow("--metrics 9474: must be HOST:PORT");
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function ask(options: { port?: number; socketPath?: string; path: string; method?: string }) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", agent: false, ...options }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode!, body }));
    });
    sent.on("error", reject).end();
  });
}
