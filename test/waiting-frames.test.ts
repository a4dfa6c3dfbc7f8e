/** Frames whose next hop has no MAC yet: they go on when it has answered, and their senders hear when it has not. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseIpAddress } from "../src/net/ip-address.ts";
import { parseMac } from "../src/net/mac.ts";
import { replay, type ScenarioResult } from "../src/replay/replay.ts";
import { parseScenario } from "../src/replay/scenario.ts";
import { ADDRESS_WORDS, storeAddress } from "../src/wire/raw.ts";
import { node, POD, POD_MAC, PODS, PODS_MAC, RECEIVER, SENDER } from "./fixtures/dsr-nodes.ts";
import { clientSegment } from "./fixtures/dsr-segments.ts";
import { segmentFrame } from "./fixtures/segments.ts";

const { configs } = JSON.parse(readFileSync(new URL("data/packet-scenarios.json", import.meta.url), "utf8"));
const BACKENDS = { "10.2.0.2": "02:00:00:00:0b:01", "2001:db8:2::2": "02:00:00:00:0b:01" };

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function syn(family: 4 | 6, sourcePort: number): string {
  return hex(
    segmentFrame(
      clientSegment(family, { destinationMac: "02:00:00:00:0a:01", sourceMac: "02:00:00:00:0a:00", sourcePort }),
    ),
  );
}

const from = (frame: string, port: number) => frame.includes(port.toString(16).padStart(4, "0"));

/** A gateway that has resolved its router and nothing else. */
function feed(steps: readonly object[], over: object = {}): ScenarioResult {
  const { node: gateway } = configs.nat;
  const known = Object.entries(gateway.neighbors as Record<string, string>);
  const neighbors = Object.fromEntries(known.filter(([address]) => !(address in BACKENDS)));
  return replay(parseScenario({ ...configs.nat, node: { ...gateway, neighbors, ...over }, id: "wait", frames: steps }));
}

const wan = (frame: string) => ({ iface: "wan", frame });

describe.each([4, 6] as const)("the first frame to a next hop without a MAC (IPv%s)", (family) => {
  const resolved = feed([{ neighbors: BACKENDS }, wan(syn(family, 40000))]).results[0]!;

  it("waits, and goes on as it would have when the next hop has answered", () => {
    const steps = [wan(syn(family, 40000)), { neighbors: BACKENDS }, wan(syn(family, 40001))];
    const { results, counters } = feed(steps);
    expect(results[0]).toEqual({ verdict: "drop", reason: "NeighborAwaited" });
    expect(results[1]).toMatchObject({ verdict: "tx", also: [{ iface: resolved.iface, frame: resolved.frame }] });
    expect(counters["reasons"]).toEqual({ NeighborAwaited: 1 });
  });

  it("is followed by its flow's later ones in the order in which they came, of which the last three wait", () => {
    const ports = [40000, 40001, 40002, 40003, 40004];
    const steps = [...ports.map((port) => wan(syn(family, port))), { neighbors: BACKENDS }, wan(syn(family, 40009))];
    const also = feed(steps).results.at(-1)!.also!;
    expect(also.map(({ frame }) => ports.find((port) => from(frame, port)))).toEqual([40002, 40003, 40004]);
  });

  it("is answered by an error when nobody has answered for more than a second", () => {
    const steps = [wan(syn(family, 40000)), { advanceSeconds: 2 }, wan(syn(family, 40001))];
    const { results, counters } = feed(steps);
    const [told] = results[1]!.also!;
    const icmp = told!.frame.slice(2 * (family === 4 ? 34 : 54));
    expect(told!.iface).toBe("wan");
    expect(icmp.slice(0, 4)).toBe(family === 4 ? "0301" : "0103");
    expect(from(icmp, 40000)).toBe(true);
    expect(counters["reasons"]).toEqual({ NeighborAwaited: 2, NeighborUnresolved: 1 });
  });
});

describe("a frame that waits", () => {
  it("keeps the tags of its port", () => {
    const { wan: uplink, ...others } = configs.nat.node.ifaces;
    const ifaces = {
      wan: {
        ...uplink,
        vlan: [
          [0x88a8, 10],
          [0x8100, 100],
        ],
      },
      ...others,
    };
    const tagged = (port: number) => syn(4, port).replace(/^.{24}/, "$&88a8000a81000064");
    const steps = [wan(tagged(40000)), { neighbors: BACKENDS }, wan(tagged(40001))];
    const { results } = feed(steps, { ifaces });
    expect(results[0]).toEqual({ verdict: "drop", reason: "NeighborAwaited" });
    const untagged = feed([{ neighbors: BACKENDS }, wan(syn(4, 40000))]).results[0]!;
    expect(results[1]!.also).toEqual([{ iface: untagged.iface, frame: untagged.frame }]);
  });

  it.each(["dsr-ipip", "dsr-gue", "dsr-geneve"] as const)("waits in its tunnel (%s)", (mode) => {
    const { frame: inTunnel } = node(SENDER, { mode }).take(segmentFrame(clientSegment(4)));
    const { frame: delivered } = node(RECEIVER, { mode }).take(inTunnel);
    const receiver = node(RECEIVER, { mode });
    const pod = new Int32Array(ADDRESS_WORDS);
    storeAddress(pod, 0, parseIpAddress(POD[4])!);
    const { neighbors } = receiver.pipeline;
    neighbors.set(pod, PODS, null, parseMac(PODS_MAC)!);
    expect(receiver.take(inTunnel).reason).toBe("NeighborAwaited");
    expect(receiver.released()).toEqual([]);
    neighbors.set(pod, PODS, parseMac(POD_MAC), parseMac(PODS_MAC)!);
    const [released, ...more] = receiver.released();
    expect(hex(released!.frame)).toBe(hex(delivered));
    expect(more).toEqual([]);
  });
});
