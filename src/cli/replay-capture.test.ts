import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ipv4Frame } from "../../test/fixtures/frames.ts";
import type { PacketResult } from "../replay/capture-replay.ts";
import type { FrameToWrite } from "../wire/capture-file.ts";
import { readPcap, writePcap } from "../wire/pcap.ts";
import { readPcapng, writePcapng } from "../wire/pcapng.ts";
import { runReplayCapture } from "./replay-capture.ts";

const SEED = join(import.meta.dirname, "../../test/data/manifests/seed-a");
const TWO_NODES = join(import.meta.dirname, "../../test/data/manifests/two-nodes");
const VIP = "192.168.10.100";
const GATEWAY_MAC = "02:00:00:00:0a:01";
const ROUTER_MAC = "02:00:00:00:0a:02";
const BACKEND_MAC = "02:00:00:00:0b:05";
const SYN = 0x02;

const request = {
  destinationMac: GATEWAY_MAC,
  sourceMac: ROUTER_MAC,
  source: "203.0.113.10",
  destination: VIP,
  sourcePort: 40000,
  destinationPort: 80,
  protocol: 6 as const,
  flags: SYN,
};
const at = (timestampSeconds: number, bytes: Uint8Array, port = 0): FrameToWrite => ({
  interface: port,
  timestampSeconds,
  bytes,
});
const address = (bytes: Uint8Array, offset: number) => bytes.subarray(offset, offset + 4).join(".");

describe("sluice replay --pcap", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "sluice-replay-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function replay(capture: Uint8Array, more: { out?: string; config?: string; node?: string } = {}) {
    const pcap = join(folder, "in");
    const out = join(folder, more.out ?? "out.pcapng");
    await writeFile(pcap, capture);
    const result = await runReplayCapture({
      pcap,
      config: [more.config ?? SEED],
      out,
      node: more.node ?? null,
      clusterSecret: null,
      output: "json",
    });
    const results = (JSON.parse(result.stdout) as { results: PacketResult[] }).results;
    return { ...result, results, file: await readFile(out) };
  }

  test("a request goes to a backend by the router, since nothing shows another way, and the reply of one that is seen is translated", async () => {
    const { results, file } = await replay(writePcap([at(1, ipv4Frame(request))]), { out: "out.pcap" });
    expect(results).toEqual([{ packet: 1, verdict: "tx", iface: "port0" }]);
    const [sent] = readPcap(file).frames;
    const backend = address(sent!.bytes, 30);
    expect(backend).toMatch(/^10\.2\.3\.[56]$/);
    expect(sent!.bytes[22]).toBe(63);

    const reply = { ...request, source: backend, destination: request.source, sourcePort: 80, destinationPort: 40000 };
    const answer = ipv4Frame({ ...reply, sourceMac: BACKEND_MAC, flags: 0x12 });
    const both = await replay(writePcapng(["eth0", "eth1"], [at(1, ipv4Frame(request)), at(1.5, answer, 1)]));
    expect(both.results.map(({ verdict, iface }) => `${verdict} ${iface}`)).toEqual(["tx eth1", "tx eth0"]);
    const { frames, interfaces } = readPcapng(both.file);
    expect(interfaces.map(({ name }) => name)).toEqual(["eth0", "eth1"]);
    expect(frames.map(({ timestampSeconds }) => timestampSeconds)).toEqual([1, 1.5]);
    // To the backend's own MAC now, and back to the router's with the VIP as source.
    expect(Buffer.from(frames[0]!.bytes.subarray(0, 6)).toString("hex")).toBe(BACKEND_MAC.replaceAll(":", ""));
    expect(Buffer.from(frames[1]!.bytes.subarray(0, 6)).toString("hex")).toBe(ROUTER_MAC.replaceAll(":", ""));
    expect(address(frames[1]!.bytes, 26)).toBe(VIP);
  });

  test("what the gateway itself sent is left out, what is not for it passes, what it refuses says why", async () => {
    const own = ipv4Frame({ ...request, sourceMac: GATEWAY_MAC, destinationMac: ROUTER_MAC });
    const others = ipv4Frame({ ...request, destination: "192.0.2.77" });
    const broken = ipv4Frame(request);
    broken[24]! ^= 0xff;
    const frames = [at(1, ipv4Frame(request)), at(1, own), at(1, others), at(1, broken)];
    const { results, exitCode } = await replay(writePcap(frames));
    expect(exitCode).toBe(0);
    expect(results.map(({ verdict }) => verdict)).toEqual(["tx", "own", "pass", "drop"]);
    expect(results[3]!.reason).toBe("Ipv4ChecksumInvalid");
  });

  test("the clock is the capture's: a flow that was silent for hours is gone", async () => {
    const data = ipv4Frame({ ...request, flags: 0x10 });
    const { file } = await replay(writePcap([at(1, ipv4Frame(request)), at(40_000, data)]));
    expect(readPcapng(file).frames).toHaveLength(2);
    const backend = await replay(writePcap([at(1, data), at(40_000, data)]));
    expect(JSON.parse(backend.stdout).counters.flowsOpened).toBe(2);
  });

  test("a frame that the capture has cut is named, and the rest is replayed", async () => {
    const capture = writePcap([at(1, ipv4Frame(request)), at(2, ipv4Frame(request))]);
    new DataView(capture.buffer).setUint32(24 + 12, 1500, true);
    const { results, stderr, exitCode } = await replay(capture);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/in: packet 1: the capture has 60 of its 1500 bytes: capture with `-s 0`\n$/);
    expect(results.map(({ verdict }) => verdict)).toEqual(["unreadable", "tx"]);
  });

  test("what is no capture, is none of one interface, or could be of several nodes, is refused by name", async () => {
    await expect(replay(new TextEncoder().encode("hello world"))).rejects.toThrow(/in: this is neither a pcap nor/);
    const cooked = writePcap([at(1, ipv4Frame(request))]);
    new DataView(cooked.buffer).setUint32(20, 113, true);
    expect((await replay(cooked)).stderr).toMatch(/packet 1: it has no Ethernet header \(link type 113\)/);
    const capture = writePcap([at(1, ipv4Frame(request))]);
    await expect(replay(capture, { config: TWO_NODES })).rejects.toThrow(/several Nodes: say by --node .*\(.+, .+\)/);
    await expect(replay(capture, { node: "nope" })).rejects.toThrow(/--node nope: the manifests have no such Node/);
  });
});
