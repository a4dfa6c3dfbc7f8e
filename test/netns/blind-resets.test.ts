/**
 * Somebody off the path sends resets in the name of a client whose connection he knows, but not its sequence numbers: the
 * gateway believes none of them, and neither does the backend that it passes them to. The connection goes on, by whoever
 * forwards it, with the client's source or the gateway's.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FlowStatus } from "../../src/agent/flow-list.ts";
import { segmentFrame } from "../fixtures/segments.ts";
import { Capture } from "../lab/capture.ts";
import { downloadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { type DualStack, dualStack, hostsOnLan, PLACES, podsInStack } from "../lab/dual-stack.ts";
import { Lab } from "../lab/lab.ts";
import { sendFrames } from "../lab/send-frames.ts";
import { waitFor } from "../lab/wait-for.ts";

const RST = 0x04;
const RESETS = 64;
/** Spread over all sequence numbers: to hit the backend's window, some hundred kilobytes, takes thousands. */
const STEP = 2 ** 32 / RESETS;
/** Five seconds for the body: it lasts beyond the resets. */
const PACE = { megabytesPerSecond: 4 };
const bodySha256 = sha256(deterministicBody(TWENTY_MEGABYTES));

const CASES = [
  { datapath: "userspace", inside: hostsOnLan, sourceNat: "node" },
  { datapath: "hybrid", inside: hostsOnLan, sourceNat: "node" },
  { datapath: "hybrid", inside: podsInStack, sourceNat: "remote" },
  { datapath: "kernel", inside: hostsOnLan, sourceNat: "remote" },
] as const;

describe.each(CASES)("--datapath $datapath, $inside.name, source NAT: $sourceNat", (options) => {
  let lab: Lab;
  let network: DualStack;

  beforeAll(async () => {
    lab = new Lab("slb");
    network = await dualStack(lab, options.inside, {
      arguments: ["--datapath", options.datapath],
      switches: { "sluice-source-nat": options.sourceNat },
    });
  });

  afterAll(() => lab?.close());

  test.each(PLACES)("resets with wrong sequence numbers cost a download nothing (IPv$family)", async (places) => {
    const { family, client, web } = places;
    const { gateway, router } = network;
    const flows = async () => (await gateway.read<FlowStatus[]>("/v1/flows")).filter(({ vip }) => vip.includes(web));
    const download = downloadSha256(network.client, `http://${family === 4 ? web : `[${web}]`}/20mb`, PACE);
    const isUnderWay = ({ state, replyBytes }: FlowStatus) => state === "established" && replyBytes > 1_000_000;
    await waitFor("the download to be under way", async () => (await flows()).some(isUnderWay));
    const flow = (await flows()).find(isUnderWay)!;
    const resets = family === 4 ? `tcp[13] & ${RST} != 0` : `ip6[6] = 6 and ip6[53] & ${RST} != 0`;
    const heard = await Promise.all(
      network.web.map(({ namespace }) => Capture.start(lab, namespace, "eth0", `${resets} and dst port 80`)),
    );
    const resetAt = (index: number) =>
      segmentFrame({
        destinationMac: macOf(network, "node", "net0"),
        sourceMac: macOf(network, "router", "to-node"),
        source: client,
        destination: web,
        sourcePort: Number(flow.client.slice(flow.client.lastIndexOf(":") + 1)),
        destinationPort: 80,
        protocol: "TCP",
        flags: RST,
        sequence: index * STEP,
      });
    sendFrames(
      router,
      "to-node",
      Array.from({ length: RESETS }, (_, index) => resetAt(index)),
    );
    // They arrive, or nothing would have been shown.
    await waitFor("the resets at the backend", () => heard.flatMap((pod) => pod.frames()).length >= RESETS / 2);
    for (const pod of heard) await pod.stop();
    expect(await download).toBe(bodySha256);
    const after = (await flows()).find((other) => other.client === flow.client && other.backend === flow.backend);
    expect(after!.replyBytes).toBeGreaterThan(TWENTY_MEGABYTES);
    expect(after!.state).not.toBe("reset");
  });
});

function macOf(network: DualStack, where: "node" | "router", device: string): string {
  return JSON.parse(network[where].run(["ip", "-j", "link", "show", "dev", device]))[0].address;
}
