/**
 * Links with an MTU of 9000: a packet is longer than any frame of the packet memory, and comes and goes in three. Through
 * the node's own stack and between two NICs, in both families.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { downloadSha256, uploadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256 } from "../lab/deterministic-body.ts";
import { type DualStack, dualStack, hostsOnLan, PLACES, podsInStack } from "../lab/dual-stack.ts";
import { Lab } from "../lab/lab.ts";

const MTU = 9000;
const UDP_ASK = join(import.meta.dirname, "..", "lab", "udp-ask.ts");
const FIFTY_MEGABYTES = 50_000_000;

const body = deterministicBody(FIFTY_MEGABYTES);
const bodySha256 = sha256(body);

describe.each([
  { where: "the node's own stack", inside: podsInStack },
  { where: "hosts on a second NIC", inside: hostsOnLan },
])("with backends in $where", ({ inside }) => {
  let lab: Lab;
  let network: DualStack;

  beforeAll(async () => {
    lab = new Lab("slj");
    network = await dualStack(lab, inside, { mtu: MTU });
  });

  afterAll(() => lab?.close());

  /** Bytes per frame that the VIP has moved since the last call, by direction. */
  function frameSizes(address: string): () => { request: number; reply: number } {
    const now = () => {
      const { requestBytes, requestPackets, replyBytes, replyPackets } = network.gateway
        .status()
        .services.find(({ vip }) => vip.includes(address) && /80.TCP/.test(vip))!;
      return [requestBytes, requestPackets, replyBytes, replyPackets] as const;
    };
    const before = now();
    return () => {
      const [requestBytes, requests, replyBytes, replies] = now().map((value, index) => value - before[index]!);
      return { request: requestBytes! / requests!, reply: replyBytes! / replies! };
    };
  }

  describe.each(PLACES)("IPv$family", ({ family, web }) => {
    const host = family === 4 ? web : `[${web}]`;

    test("50 MB arrive whole from the backend, in frames of the links' full size", async () => {
      const sizes = frameSizes(web);
      expect(await downloadSha256(network.client, `http://${host}/50mb`)).toBe(bodySha256);
      expect(sizes().reply).toBeGreaterThan(8000);
    });

    test("50 MB arrive whole at the backend, in frames of the links' full size", async () => {
      const upload = join(lab.folder, "upload");
      writeFileSync(upload, body);
      const sizes = frameSizes(web);
      expect(await uploadSha256(network.client, `http://${host}/upload`, upload)).toBe(bodySha256);
      expect(sizes().request).toBeGreaterThan(8000);
    });

    test("datagrams of every length around the borders of frames come back as they were", () => {
      const lengths = [20, 1400, 3770, 3790, 3800, 4096, 7880, 7900, 8900, 8952, 20_000];
      const answers = network.client.run([process.execPath, UDP_ASK, web, "7", ...lengths.map(String)]);
      expect(answers.trim().split("\n")).toEqual(lengths.map(() => "echoed"));
    });
  });

  test("the gateway had memory for every packet", () => {
    expect(network.gateway.status().datapath.reasons["FrameMemoryFull"] ?? 0).toBe(0);
  });
});
