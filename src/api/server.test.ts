import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ApiServer, type ApiSource } from "./server.ts";

const drained: number[] = [];
const planned: string[] = [];
const SOURCE = {
  status: async () => ({ node: "n1" }),
  metrics: async () => "sluice_worker_up 1\n",
  ready: () => true,
  tryPlan: async (text: string, mode: string) => {
    planned.push(`${mode} ${text}`);
    return { objects: [] };
  },
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

test("a plan may be asked for where everything is only read, by who says what it is, and not on the address for metrics", async () => {
  const post = (port: number, type: string, body: string, mode = "apply") =>
    fetch(`http://127.0.0.1:${port}/v1/plan?mode=${mode}`, { method: "POST", headers: { "content-type": type }, body });
  expect((await post(readPort, "application/yaml", "kind: Service", "delete")).status).toBe(200);
  // What a form on somebody else's page can make a browser send.
  expect((await post(readPort, "text/plain", "kind: Service")).status).toBe(415);
  expect((await post(readPort, "application/yaml", "kind: Service", "replace")).status).toBe(400);
  expect((await post(readPort, "application/yaml", " ".repeat(300 << 10))).status).toBe(413);
  expect((await post(metricsPort, "application/yaml", "kind: Service")).status).toBe(405);
  expect(planned).toEqual(["delete kind: Service"]);
});

test("nobody but its owner may use the socket, nor come near one in a folder that was made for it", async () => {
  expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  const elsewhere = new ApiServer(SOURCE);
  await elsewhere.listenUnix(join(folder, "deep", "s.sock"));
  expect(statSync(join(folder, "deep")).mode & 0o777).toBe(0o700);
  await elsewhere.close();
});

test("who asks for a certificate is served by TLS, and otherwise not at all", async () => {
  const file = (name: string) => fileURLToPath(new URL(`../../test/data/tls/${name}.pem`, import.meta.url));
  const [certificate, key] = [file("certificate"), file("key")];
  const [secure, port] = [new ApiServer(SOURCE), await freePort()];
  await secure.listenTcp(`127.0.0.1:${port}`, { tokenFile: null, tls: { certificate, key } });
  const status = await new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/livez", ca: readFileSync(certificate), servername: "localhost" };
    httpsRequest(options, (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });
  expect(status).toBe(200);
  await expect(ask({ port, path: "/livez" })).rejects.toThrow();
  await secure.close();
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
