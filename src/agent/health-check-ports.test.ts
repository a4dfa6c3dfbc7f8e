import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { pino } from "pino";
import { afterEach, expect, test, vi } from "vitest";
import { PATIENCE } from "../../test/fixtures/patience.ts";
import { HealthCheckPorts } from "./health-check-ports.ts";

const ports = new HealthCheckPorts(pino({ level: "silent" }));

afterEach(() => ports.close());

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const check = (port: number, localEndpoints: number) => ({ port, namespace: "shop", name: "web", localEndpoints });

test("a port says whether there is an endpoint here, and is free when its Service is gone", async () => {
  const port = await freePort();
  const ask = () => fetch(`http://127.0.0.1:${port}/`);
  ports.apply([check(port, 2)]);
  await vi.waitFor(async () => expect((await ask()).status).toBe(200), PATIENCE);
  const service = { namespace: "shop", name: "web" };
  expect(await (await ask()).json()).toEqual({ service, localEndpoints: 2 });
  ports.apply([check(port, 0)]);
  expect((await ask()).status).toBe(503);
  ports.apply([]);
  await vi.waitFor(() => expect(ask()).rejects.toThrow(), PATIENCE);
});

test("a port that somebody has is left alone", async () => {
  const theirs = createServer((_request, response) => response.end("theirs"));
  await new Promise<void>((resolve) => theirs.listen(0, resolve));
  const { port } = theirs.address() as AddressInfo;
  ports.apply([check(port, 1)]);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("theirs");
  await new Promise((resolve) => theirs.close(resolve));
});
