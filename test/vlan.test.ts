/** Ports with VLAN tags through the pipeline: tags come off, go on, and a frame keeps its priority. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type FrameResult, replay } from "../src/replay/replay.ts";
import { parseScenario } from "../src/replay/scenario.ts";
import { ipv4Frame } from "./fixtures/frames.ts";

const { configs } = JSON.parse(readFileSync(new URL("data/packet-scenarios.json", import.meta.url), "utf8"));

const VLAN100 = "81000064";
const HIGH_PRIORITY_VLAN100 = "8100a064";
const QINQ = `88a8000a${VLAN100}`;
const SYN = 0x02;
const SYN_ACK = 0x12;

const hex = (frame: Uint8Array) => Buffer.from(frame).toString("hex");
const tagged = (frame: string, tags: string) => frame.slice(0, 24) + tags + frame.slice(24);

const request = hex(
  ipv4Frame({
    destinationMac: "02:00:00:00:0a:01",
    sourceMac: "02:00:00:00:0a:00",
    source: "203.0.113.10",
    destination: "198.51.100.10",
    sourcePort: 40000,
    destinationPort: 80,
    protocol: 6,
    flags: SYN,
  }),
);
const answer = hex(
  ipv4Frame({
    destinationMac: "02:00:00:00:0b:00",
    sourceMac: "02:00:00:00:0b:01",
    source: "10.2.0.2",
    destination: "203.0.113.10",
    sourcePort: 8080,
    destinationPort: 40000,
    protocol: 6,
    flags: SYN_ACK,
  }),
);
const arp = "ffffffffffff020000000a000806000108000604000102 0000000a000a010002000000000000c633640a".replaceAll(" ", "");

interface Input {
  readonly iface: string;
  readonly frame: string;
}

function run(config: object, frames: readonly Input[]): readonly FrameResult[] {
  return replay(parseScenario({ ...config, id: "vlan", frames })).results;
}

const wan = (frame: string): Input => ({ iface: "wan", frame });
const lan = (frame: string): Input => ({ iface: "lan", frame });

/** What both come to when nothing is tagged. */
const [plainRequest, plainAnswer] = run(configs.nat, [wan(request), lan(answer)]).map(({ frame }) => frame!);

describe("a VLAN port", () => {
  it("takes frames of its VLAN, which leave by a plain port without the tag", () => {
    expect(run(configs.vlan100, [wan(tagged(request, VLAN100))])[0]).toMatchObject({
      verdict: "tx",
      frame: plainRequest,
    });
  });

  it("gives its tag to what leaves by it", () => {
    const results = run(configs.vlan100, [wan(tagged(request, VLAN100)), lan(answer)]);
    expect(results[1]!.frame).toBe(tagged(plainAnswer!, VLAN100));
  });

  it("passes frames without a tag, of another VLAN, with two tags, and those that end in the tag", () => {
    const strangers = [
      request,
      tagged(request, "81000065"),
      tagged(request, QINQ),
      tagged(request, VLAN100).slice(0, 32),
    ];
    const results = run(configs.vlan100, strangers.map(wan));
    expect(results.map(({ reason }) => reason)).toEqual(Array(4).fill("NotOurVlan"));
  });

  it("answers ARP in the VLAN and with the priority of the question", () => {
    const [result] = run(configs.vlan100, [wan(tagged(arp, HIGH_PRIORITY_VLAN100))]);
    expect(result!.verdict).toBe("reply");
    expect(result!.frame!.slice(0, 40)).toBe(`020000000a00020000000a01${HIGH_PRIORITY_VLAN100}08060001`);
  });

  it("keeps fragments that came too early, tags and all, until their first one has come", () => {
    const datagram = ipv4Frame({
      destinationMac: "02:00:00:00:0a:01",
      sourceMac: "02:00:00:00:0a:00",
      source: "203.0.113.10",
      destination: "198.51.100.10",
      sourcePort: 5555,
      destinationPort: 53,
      protocol: 17,
      payload: new Uint8Array(56),
    });
    const first = fragment(datagram, 0, 32, true);
    const second = fragment(datagram, 32, 32, false);
    const untagged = run(configs.nat, [wan(second), wan(first)]);
    const results = run(configs.vlan100, [wan(tagged(second, VLAN100)), wan(tagged(first, VLAN100))]);
    expect(results[1]!.also).toHaveLength(1);
    expect(results[1]).toEqual(untagged[1]);
  });
});

describe("a QinQ port", () => {
  it("takes and gives both tags", () => {
    const results = run(configs.qinq, [wan(tagged(request, QINQ)), lan(answer)]);
    expect(results[0]!.frame).toBe(plainRequest);
    expect(results[1]!.frame).toBe(tagged(plainAnswer!, QINQ));
  });

  it("passes what has only one of them", () => {
    const results = run(configs.qinq, [wan(tagged(request, VLAN100)), wan(tagged(request, "88a8000a"))]);
    expect(results.map(({ reason }) => reason)).toEqual(["NotOurVlan", "NotOurVlan"]);
  });

  it("hands a frame's priority on to the other port's tags", () => {
    const { node } = configs.qinq;
    const both = {
      ...configs.qinq,
      node: { ...node, ifaces: { ...node.ifaces, lan: { ...node.ifaces.lan, vlan: 7 } } },
    };
    const [result] = run(both, [wan(tagged(request, `88a8a00a${VLAN100}`))]);
    expect(result!.frame).toBe(tagged(plainRequest!, "8100a007"));
  });
});

it.each([
  [0, "1..4094"],
  [[], "one or two tags"],
  [[[1, 2]], "the type must be"],
])("a scenario with the VLAN %j is refused with the field's name", (vlan, complaint) => {
  const { node } = configs.nat;
  const wrong = { ...configs.nat, node: { ...node, ifaces: { ...node.ifaces, wan: { ...node.ifaces.wan, vlan } } } };
  expect(() => run(wrong, [])).toThrow(complaint);
  expect(() => run(wrong, [])).toThrow("node.ifaces.wan.vlan");
});

/** A fragment of an IPv4 frame: payload bytes `start` to `start + bytes`. */
function fragment(frame: Uint8Array, start: number, bytes: number, more: boolean): string {
  const part = Uint8Array.of(...frame.subarray(0, 34), ...frame.subarray(34 + start, 34 + start + bytes));
  const view = new DataView(part.buffer);
  view.setUint16(16, 20 + bytes);
  view.setUint16(20, (more ? 0x2000 : 0) | (start / 8));
  view.setUint16(24, 0);
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += view.getUint16(at);
  view.setUint16(24, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
  return hex(part);
}
