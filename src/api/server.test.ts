import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
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
  flows: (limit: number) => limit,
  l2: () => ({}),
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
  await api.listenUnix(socketPath);
  // Each is taken before the next is looked for: they might be the same.
  readPort = await freePort();
  await api.listenTcp(`127.0.0.1:${readPort}`);
  metricsPort = await freePort();
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

test("whatever is asked for on any listener is answered or refused, and ends nothing", async () => {
  const targets = ["//", "///", "//[", "http://[", "http://a b", "/%", "*", "/v1/nothing"];
  for (const at of [{ port: readPort }, { port: metricsPort }, { socketPath }]) {
    for (const target of targets) {
      for (const method of ["GET", "POST", "OPTIONS"]) {
        expect(
          await lineAfter(at, `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`),
        ).toMatch(/^(HTTP\/1.1 [45]\d\d |$)/);
      }
    }
    expect((await ask({ ...at, path: "/livez" })).status).toBe(200);
  }
});

test("who answers for an address is asked of addresses only", async () => {
  const { status, body } = await ask({ port: readPort, path: "/v1/l2/who?address=web" });
  expect([status, body]).toEqual([400, '{"error":"address web: an IPv4 or IPv6 address expected"}']);
});

test("many flows are for who may use the socket", async () => {
  expect(JSON.parse((await ask({ port: readPort, path: "/v1/flows?limit=9999999" })).body)).toBe(10_000);
  expect(JSON.parse((await ask({ socketPath, path: "/v1/flows?limit=9999999" })).body)).toBe(9_999_999);
});

test("the unix socket changes things", async () => {
  expect((await ask({ socketPath, path: "/v1/drain?grace=7", method: "POST" })).status).toBe(200);
  expect(drained).toEqual([7]);
});

test("an address that is none, or another's, names the option it was given to", async () => {
  expect(() => api.listenForMetrics("9474")).toThrow("--metrics 9474: must be HOST:PORT");
  expect(() => api.listenTcp("127.0.0.1:99999")).toThrow("--http 127.0.0.1:99999: must be HOST:PORT");
  const other = new ApiServer(SOURCE);
  await expect(other.listenTcp(`127.0.0.1:${readPort}`)).rejects.toThrow(
    `--http 127.0.0.1:${readPort}: something else listens there`,
  );
  await expect(other.listenForMetrics("192.0.2.1:9474")).rejects.toThrow("this node does not have the address");
});

test("a certificate that is none is named with its option", () => {
  const tls = { certificate: "/nowhere/cert.pem", key: "/nowhere/key.pem" };
  expect(() => new ApiServer(SOURCE).listenTcp("127.0.0.1:0", { tokenFile: null, tls })).toThrow(
    "--http-cert /nowhere/cert.pem: does not exist",
  );
  const here = fileURLToPath(import.meta.url);
  expect(() =>
    new ApiServer(SOURCE).listenTcp("127.0.0.1:0", { tokenFile: null, tls: { certificate: here, key: here } }),
  ).toThrow("a certificate and its key in PEM expected");
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What comes back for octets that no client of Node's would send: its first line; empty where the connection is cut. */
function lineAfter(at: { port?: number; socketPath?: string }, octets: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = at.socketPath === undefined ? connect(at.port!, "127.0.0.1") : connect(at.socketPath);
    let answer = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
    });
    socket.once("error", () => {}).once("close", () => resolve(answer.split("\r\n")[0]!));
    socket.end(octets);
  });
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
