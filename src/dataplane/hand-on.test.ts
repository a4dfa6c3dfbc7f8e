import { describe, expect, test } from "vitest";
import { ipv4Frame } from "../../test/fixtures/frames.ts";
import { BACKEND, gateway, ROUTER_MAC, VIP, WAN, WAN_MAC } from "../../test/fixtures/gateway.ts";
import { parseIpAddress } from "../net/ip-address.ts";
import { parseMac } from "../net/mac.ts";
import { ADDRESS_WORDS, storeAddress } from "../wire/raw.ts";
import { Verdict } from "./frame-batch.ts";
import { Handoffs } from "./handoffs.ts";

const OTHER_MAC = "02:00:00:00:0a:77";
const SYN = 0x02;
const ACK = 0x10;

function frameOf(flags: number, sourcePort: number): Uint8Array {
  const macs = { destinationMac: WAN_MAC, sourceMac: ROUTER_MAC };
  const ends = { source: "203.0.113.9", destination: VIP, sourcePort, destinationPort: 80 };
  return ipv4Frame({ ...macs, ...ends, protocol: 6, flags });
}

/** The verdict on a frame that comes in at `now`, and the frame as it leaves. */
function player(until: number) {
  const handoffs = new Handoffs();
  const address = new Int32Array(ADDRESS_WORDS);
  storeAddress(address, 0, parseIpAddress(VIP)!);
  handoffs.set(address, parseMac(OTHER_MAC)!, until);
  const { pipeline, batch, bytes } = gateway(1, 2048, 1024, [BACKEND], { handoffs });
  return (frame: Uint8Array, now: number) => {
    bytes.set(frame, 0);
    batch.holdOne(0, frame.length, WAN);
    pipeline.run(now);
    return { verdict: batch.verdict[0], frame: Buffer.from(bytes.subarray(0, frame.length)) };
  };
}

describe("an address that another node has just handed over", () => {
  test("has its unknown connections sent on to that node, changed in nothing but the MACs", () => {
    const play = player(100);
    const frame = frameOf(ACK, 40_000);
    const answer = play(frame, 50);
    expect(answer.verdict).toBe(Verdict.Reply);
    const macs = [OTHER_MAC, WAN_MAC].map((mac) => mac.replaceAll(":", "")).join("");
    expect(answer.frame.subarray(0, 12).toString("hex")).toBe(macs);
    expect(answer.frame.subarray(12)).toEqual(Buffer.from(frame.subarray(12)));
  });

  test("opens new connections here, and keeps them", () => {
    const play = player(100);
    expect(play(frameOf(SYN, 40_001), 50).verdict).toBe(Verdict.Transmit);
    expect(play(frameOf(ACK, 40_001), 51).verdict).toBe(Verdict.Transmit);
  });

  test("has unknown connections opened here when the time is over", () => {
    expect(player(100)(frameOf(ACK, 40_002), 101).verdict).toBe(Verdict.Transmit);
  });
});
