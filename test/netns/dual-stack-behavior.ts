/**
 * What clients and backends see of a gateway, whatever is behind it, in both families: the same tests for pods in the
 * node's stack and for hosts on a second NIC. Each of them then has its own.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Capture } from "../lab/capture.ts";
import { curl, downloadSha256, uploadSha256 } from "../lab/curl.ts";
import { writeDeterministicBody } from "../lab/deterministic-body.ts";
import { type DualStack, dualStack, type MakeBackends, NARROW_MTU, PLACES } from "../lab/dual-stack.ts";
import { icmpError } from "../lab/icmp-error.ts";
import { Lab } from "../lab/lab.ts";
import { pathMtu } from "../lab/path-mtu.ts";
import type { SamePort } from "../lab/same-port.ts";
import { traceroute } from "../lab/traceroute.ts";
import { waitFor } from "../lab/wait-for.ts";

const UDP_ASK = join(import.meta.dirname, "..", "lab", "udp-ask.ts");
const SAME_PORT = join(import.meta.dirname, "..", "lab", "same-port.ts");
/** curl's exit code for a connection that was refused. */
const REFUSED = 7;

const isLong = process.env["SLUICE_LONG"] === "1";
const BODY_MEGABYTES = isLong ? 1000 : 20;
const PATIENCE = { timeoutSeconds: isLong ? 300 : 60 };
const TEST_MILLISECONDS = 2.5 * 1000 * PATIENCE.timeoutSeconds;

/** @returns the network, for tests that come after these. */
export function behavesOnRealNetworks(inside: MakeBackends): () => DualStack {
  let lab: Lab;
  let network: DualStack;
  let upload: string;
  let bodySha256: string;

  beforeAll(async () => {
    lab = new Lab("slf");
    network = await dualStack(lab, inside);
    upload = join(lab.folder, "upload");
    bodySha256 = writeDeterministicBody(upload, BODY_MEGABYTES * 1_000_000);
  });

  afterAll(() => lab?.close());

  describe.each(PLACES)("IPv$family", ({ family, client, router, node, web, narrow, empty }) => {
    const url = (address: string, port = 80) => `http://${family === 4 ? address : `[${address}]`}:${port}/`;

    const ask = (...words: readonly (string | number)[]) =>
      network.client
        .run([process.execPath, UDP_ASK, ...words.map(String)])
        .trim()
        .split("\n");
    const udp = (address: string, port: number, ...lengths: number[]) => ask(address, port, ...lengths);

    const portUnreachable = family === 4 ? { type: 3, code: 3 } : { type: 1, code: 4 };

    test("20 of 20 curls are answered, each backend answers some, and they see the client's own address", () => {
      const answers = Array.from({ length: 20 }, () => curl(network.client, url(web)));
      expect(answers.map((answer) => answer.error)).toEqual(Array(20).fill(""));
      expect(new Set(answers.map((answer) => answer.body))).toEqual(new Set(network.web.map(({ name }) => name)));
      const clients = network.web.flatMap((pod) => pod.requests().map((request) => request.client));
      // A socket for both families shows IPv4 addresses in their mapped form.
      expect(clients).toContain(family === 4 ? `::ffff:${client}` : client);
      for (const seen of clients) expect(PLACES.map((places) => places.client)).toContain(seen.replace("::ffff:", ""));
    });

    test("a big body arrives whole, down and up", { timeout: TEST_MILLISECONDS }, async () => {
      expect(await downloadSha256(network.client, `${url(web)}${BODY_MEGABYTES}mb`, PATIENCE)).toBe(bodySha256);
      expect(await uploadSha256(network.client, `${url(web)}upload`, upload, PATIENCE)).toBe(bodySha256);
    });

    test("the VIP answers pings, with 1400 bytes too", () => {
      for (const size of ["56", "1400"]) {
        const ping = ["ping", `-${family}`, "-n", "-q", "-c", "3", "-i", "0.1", "-W", "2", "-s", size, web];
        expect(network.client.try(ping).stdout).toContain("3 received");
      }
    });

    test("datagrams of 20 and of 8,000 bytes come back as they were", () => {
      expect(udp(web, 7, 20, 8000, 20, 8000, 8000)).toEqual(Array(5).fill("echoed"));
    });

    test("datagrams from 30 ports are answered, whatever queue each comes in by", () => {
      expect(ask("--anew", web, 7, ...Array(30).fill(20))).toEqual(Array(30).fill("echoed"));
    });

    test("a port that no Service has, and one without backends, refuse at once", () => {
      const startedAt = performance.now();
      expect(curl(network.client, url(web, 82)).exitCode).toBe(REFUSED);
      expect(curl(network.client, url(empty)).exitCode).toBe(REFUSED);
      expect(udp(web, 10, 20)).toEqual(["ECONNREFUSED"]);
      expect(udp(empty, 7, 20)).toEqual(["ECONNREFUSED"]);
      expect(performance.now() - startedAt).toBeLessThan(4000);
    });

    test("a backend's own refusals reach the client, as if the VIP had spoken", async () => {
      const capture = await Capture.start(lab, network.client, "eth0", family === 4 ? "icmp" : "icmp6");
      expect(curl(network.client, url(web, 81)).exitCode).toBe(REFUSED);
      expect(udp(web, 9, 20)).toEqual(["ECONNREFUSED"]);
      await capture.stop();
      const errors = capture.frames().flatMap((frame) => icmpError(frame) ?? []);
      expect(errors).toEqual([{ source: web, quotedDestination: web, ...portUnreachable }]);
    });

    test("a client's refusal of an answer reaches the backend, as if it had spoken to the client itself", async () => {
      const heard = await Promise.all(
        network.web.map(({ namespace }) => Capture.start(lab, namespace, "eth0", family === 4 ? "icmp" : "icmp6")),
      );
      const echoes = network.web.flatMap(({ namespace }) =>
        namespace.processes().filter(({ name }) => name.endsWith("/udp-echo")),
      );
      for (const echo of echoes) echo.signal("SIGSTOP");
      try {
        network.client.run(["bash", "-c", `echo hello > /dev/udp/${web}/7`]);
      } finally {
        // Now the answer finds its socket closed.
        for (const echo of echoes) echo.signal("SIGCONT");
      }
      const errors = () => heard.flatMap((capture) => capture.frames().flatMap((frame) => icmpError(frame) ?? []));
      const refusal = { source: client, quotedDestination: client, ...portUnreachable };
      await waitFor("the refusal", () => errors().some(({ source }) => source === client), { seen: errors });
      for (const capture of heard) await capture.stop();
      expect(errors()).toContainEqual(refusal);
    });

    test("a client may use one port for the VIP and for a backend directly, one after the other", () => {
      const places = network.backends.web.map((backend) => `${backend.pod.name}=${backend[`ipv${family}`]}`);
      const seenByWorkers = () => network.gateway.status().datapath.reasons["NotOurAddress"] ?? 0;
      const before = seenByWorkers();
      const printed = network.client.run([process.execPath, SAME_PORT, "40000", web, ...places]);
      const { vip, afterwardsMilliseconds, ...others } = JSON.parse(printed) as SamePort;
      expect(others).toEqual({ afterwards: vip, vipAgain: vip, beside: null, besideAfterwards: vip });
      // A backend that closed at the same moment is in TIME-WAIT, and may want the SYN a second time.
      expect(afterwardsMilliseconds).toBeLessThan(2500);
      // The programs let the direct answers pass: what a worker finds to be one comes again after a second.
      expect(seenByWorkers() - before).toBe(0);
    });

    test("traceroute shows the gateway between the router and the VIP", () => {
      expect(traceroute(network.client, family, "-T", "-p", "80", web)).toEqual([router, node, web]);
      expect(traceroute(network.client, family, "-U", "-p", "7", web)).toEqual([router, node, web]);
    });

    test("what nobody serves goes no further than the node: nothing loops between it and the router", async () => {
      const capture = await Capture.start(lab, network.router, "to-node", `host ${web} or host ${empty}`);
      for (const address of [web, empty]) {
        curl(network.client, url(address, 82));
        udp(address, 10, 20);
      }
      // GRE, with a TTL that would allow for many turns.
      traceroute(network.client, family, "-P", "47", "-w", "0.2", "-f", "30", "-m", "30", web);
      await sleep(200);
      await capture.stop();
      const nodeMac = /link\/ether (\S+)/.exec(network.node.run(["ip", "link", "show", "net0"]))?.[1];
      const toVip = capture.frames().filter(({ bytes }) => isTo([web, empty], bytes));
      expect(toVip.length).toBeGreaterThanOrEqual(5);
      expect(toVip.filter(({ bytes }) => macAt(bytes, 6) === nodeMac)).toEqual([]);
    });

    test("a big body arrives whole over a link of 1400 bytes before the backend, and the client has learned of it", {
      timeout: TEST_MILLISECONDS,
    }, async () => {
      expect(await uploadSha256(network.client, `${url(narrow)}upload`, upload, PATIENCE)).toBe(bodySha256);
      expect(await downloadSha256(network.client, `${url(narrow)}${BODY_MEGABYTES}mb`, PATIENCE)).toBe(bodySha256);
      expect(pathMtu(network.client, narrow)).toBe(NARROW_MTU);
    });

    test("a big body arrives whole over a link of 1400 bytes before the client, and the backend has learned of it", {
      timeout: TEST_MILLISECONDS,
    }, async () => {
      network.router.ip(`route add ${client}/${family === 4 ? 32 : 128} dev to-client mtu lock ${NARROW_MTU}`);
      // Not by the other VIP: about the way there the client knows already, and says so in its SYN.
      expect(await downloadSha256(network.client, `${url(web)}${BODY_MEGABYTES}mb`, PATIENCE)).toBe(bodySha256);
      expect(await uploadSha256(network.client, `${url(web)}upload`, upload, PATIENCE)).toBe(bodySha256);
      expect(network.web.map(({ namespace }) => pathMtu(namespace, client))).toContain(NARROW_MTU);
    });
  });

  return () => network;
}

function macAt(bytes: Buffer, at: number): string {
  return bytes.toString("hex", at, at + 6).replace(/..(?!$)/g, "$&:");
}

/** Whether an IP frame is addressed to one of these. */
function isTo(addresses: readonly string[], bytes: Buffer): boolean {
  const isIpv4 = bytes.readUInt16BE(12) === 0x0800;
  const destination = isIpv4 ? bytes.subarray(30, 34).join(".") : bytes.toString("hex", 38, 54);
  return addresses.some((address) => destination === (isIpv4 ? address : ipv6Hex(address)));
}

function ipv6Hex(address: string): string {
  const [head, tail = ""] = address.split("::").map((half) => half.split(":").map((group) => group.padStart(4, "0")));
  const [left, right] = [head, tail].map((groups) => [groups].flat().join(""));
  return left + "0".repeat(32 - left!.length - right!.length) + right;
}
