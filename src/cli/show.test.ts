import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FlowStatus } from "../agent/flow-list.ts";
import type { GatewayStatus, ServiceStatus } from "../agent/status.ts";
import { flowsTable, servicesTable, showFromProcess, statusTable } from "./show.ts";

const WEB: ServiceStatus = {
  ...{
    service: "default/web",
    vip: "192.168.10.100:80/TCP",
    backends: ["10.2.3.5:80", "10.2.3.6:80"],
    draining: ["10.2.3.7:80"],
  },
  ...{ requestPackets: 40, requestBytes: 12_345, replyPackets: 50, replyBytes: 98_765_432, flowsOpened: 7 },
};
const FLOW: FlowStatus = {
  ...{ protocol: "TCP", client: "203.0.113.10:40000", vip: "192.168.10.100:80", backend: "10.2.3.5:80" },
  ...{ service: "default/web", state: "established", forwardedBy: "kernel", policy: null, idleSeconds: 3 },
  ...{ requestPackets: 4, requestBytes: 400, replyPackets: 5, replyBytes: 50_000 },
};
const STATUS = {
  node: "node1",
  uptimeSeconds: 600,
  config: {
    files: ["/etc/sluice/a.yaml"],
    problems: [
      { object: "Service/web", field: "spec.ports[0]", message: "no such port", where: null, severity: "error" },
    ],
  },
  datapath: {
    ...{
      mode: "auto",
      epoch: 4,
      workers: [
        { alive: true, turns: 9, stalledSeconds: 4 },
        { alive: false, turns: 0, stalledSeconds: 0 },
      ],
    },
    opening: { by: "kernel", why: "the worker of queue 0 of net0 is gone", since: "2026-11-22T10:00:00.000Z" },
    synCookies: { on: false, askedBy: [], since: "2026-11-22T10:00:00.000Z" },
    ports: [{ id: 0, name: "net0", kind: "uplink", mode: "generic", queues: 2, reasons: { NoBackend: 5 } }],
    totals: { received: 90, transmitted: 80, replied: 2, passed: 3, dropped: 5 },
    ...{ reasons: { NoBackend: 5 }, flows: { live: 1, rows: 2048, opened: 7, ended: 6 } },
    ...{ offloads: { problems: [], repaired: [] }, xdp: { forward: 200, egressForward: 120 } },
  },
  ...{ services: [WEB], kubernetes: null, bgp: [], drain: "withdrawn" },
} as unknown as GatewayStatus;

let folder: string;
let server: Server;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-show-"));
  server = createServer((_, response) => void response.end(JSON.stringify([WEB])));
  await new Promise<void>((resolve) => server.listen(join(folder, "s.sock"), resolve));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

test("the status as a table", () => {
  expect(statusTable(STATUS)).toBe(`node node1, up 10m; auto datapath, epoch 4; 2 workers, 1 DEAD, 1 STALLED
frames at the workers: 90 in, 80 forwarded, 2 answered, 5 dropped, 3 not ours
forwarded by the kernel: 320, 80 % of all
new flows: opened by the kernel since 2026-11-22T10:00:00.000Z (the worker of queue 0 of net0 is
    gone)
drained: the routes are withdrawn; \`sluice undrain\` takes it back
flows: 1 live, 7 opened, 6 ended, room for 1024

PORT  KIND    ATTACHED  QUEUES
net0  uplink  generic   2

SERVICE      VIP                    BACKENDS       FLOWS  IN       OUT
default/web  192.168.10.100:80/TCP  2, 1 draining  7      12.3 kB  98.8 MB

NOT FORWARDED BECAUSE  FRAMES  CAME IN BY
NoBackend              5       net0 5

no BGP sessions are configured

error: Service/web spec.ports[0]: no such port
`);
});

test("Services as a table, and none in words", () => {
  expect(
    servicesTable([WEB]),
  ).toBe(`SERVICE      VIP                    BACKENDS                             FLOWS  IN       OUT
default/web  192.168.10.100:80/TCP  10.2.3.5:80 10.2.3.6:80, 1 draining  7      12.3 kB  98.8 MB
`);
  expect(servicesTable([])).toBe("no Service is served here\n");
});

test("flows as a table, and none in words", () => {
  expect(
    flowsTable([FLOW]),
  ).toBe(`PROTO  CLIENT              VIP                BACKEND      STATE        BY      IDLE  IN     OUT
TCP    203.0.113.10:40000  192.168.10.100:80  10.2.3.5:80  established  kernel  3s    400 B  50.0 kB
`);
  expect(flowsTable([])).toBe("no live flows\n");
});

test("as JSON it is what the process says, unchanged", async () => {
  const json = await showFromProcess(join(folder, "s.sock"), "/v1/services", "json", servicesTable);
  expect(JSON.parse(json)).toEqual([WEB]);
});

test("no table is wider than 100 columns, whatever names people give", () => {
  const long = {
    ...WEB,
    service: `${"n".repeat(63)}/${"s".repeat(63)}`,
    backends: Array(50).fill("[2001:db8::1]:8080"),
  };
  const flow = {
    ...FLOW,
    client: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535",
    vip: `[${"2001:db8::".repeat(4)}]:1`,
  };
  for (const text of [servicesTable([long]), statusTable({ ...STATUS, services: [long] }), flowsTable([flow])]) {
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  }
});
