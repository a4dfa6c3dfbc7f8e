import { describe, expect, test } from "vitest";
import { ipv4Frame } from "../../test/fixtures/frames.ts";
import {
  BACKEND,
  BACKEND_MAC,
  gateway,
  LAN,
  LAN_MAC,
  ROUTER_MAC,
  VIP,
  WAN,
  WAN_MAC,
} from "../../test/fixtures/gateway.ts";
import { parseIpAddress } from "../net/ip-address.ts";
import { parseMac } from "../net/mac.ts";
import { ADDRESS_WORDS, storeAddress } from "../wire/raw.ts";
import { Verdict } from "./frame-batch.ts";
import { HANDOFF_SECONDS, Handoffs } from "./handoffs.ts";

const OTHER_MAC = "02:00:00:00:0a:77";
const CLIENT = "203.0.113.9";
const FIN = 0x01;
const SYN = 0x02;
const PSH = 0x08;
const ACK = 0x10;

function frameOf(flags: number, sourcePort: number): Uint8Array {
  const macs = { destinationMac: WAN_MAC, sourceMac: ROUTER_MAC };
  const ends = { source: CLIENT, destination: VIP, sourcePort, destinationPort: 80 };
  return ipv4Frame({ ...macs, ...ends, protocol: 6, flags });
}

function answerOf(flags: number, destinationPort: number): Uint8Array {
  const macs = { destinationMac: LAN_MAC, sourceMac: BACKEND_MAC };
  const ends = { source: BACKEND, destination: CLIENT, sourcePort: 8080, destinationPort };
  return ipv4Frame({ ...macs, ...ends, protocol: 6, flags });
}

/** The verdict on a frame that comes in at `now`, and the frame as it leaves. */
function player(until: number) {
  const handoffs = new Handoffs();
  const address = new Int32Array(ADDRESS_WORDS);
  storeAddress(address, 0, parseIpAddress(VIP)!);
  handoffs.set(address, parseMac(OTHER_MAC)!, until);
  const { pipeline, batch, bytes } = gateway(1, 2048, 1024, [BACKEND], { handoffs });
  return (frame: Uint8Array, now: number, port = WAN) => {
    bytes.set(frame, 0);
    batch.holdOne(0, frame.length, port);
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

  /** The last connection of a client's port that came here, from its SYN to its end. */
  function connection(play: ReturnType<typeof player>, port: number, now: number): void {
    for (const flags of [SYN, ACK, PSH | ACK]) play(frameOf(flags, port), now);
    for (const flags of [SYN | ACK, PSH | ACK, FIN | ACK]) play(answerOf(flags, port), now, LAN);
    expect(play(frameOf(FIN | ACK, port), now).verdict).toBe(Verdict.Transmit);
  }

  test("has the next connection of a port sent on whose last one has just ended here, although it is acknowledged first", () => {
    const play = player(100);
    connection(play, 40_003, 50);
    play(frameOf(ACK, 40_003), 50);
    for (const flags of [PSH | ACK, ACK, FIN | ACK]) {
      const { verdict, frame } = play(frameOf(flags, 40_003), 50);
      expect(verdict).toBe(Verdict.Reply);
      expect(frame.subarray(0, 6).toString("hex")).toBe(OTHER_MAC.replaceAll(":", ""));
    }
  });

  test("has an acknowledgement sent on, too, when nothing was heard of the port since the address came, or for three seconds", () => {
    const play = player(51 + HANDOFF_SECONDS);
    connection(play, 40_005, 50);
    connection(play, 40_006, 51);
    expect(play(frameOf(ACK, 40_005), 52).verdict).toBe(Verdict.Reply);
    expect(play(frameOf(ACK, 40_006), 52).verdict).toBe(Verdict.Transmit);
    expect(play(frameOf(ACK, 40_006), 55).verdict).toBe(Verdict.Reply);
  });

  test("leaves to a connection that has ended here what its client repeats, when the time is over", () => {
    const play = player(100);
    connection(play, 40_004, 101);
    expect(play(frameOf(PSH | ACK, 40_004), 101).verdict).toBe(Verdict.Transmit);
  });

  test("has unknown connections opened here when the time is over", () => {
    expect(player(100)(frameOf(ACK, 40_002), 101).verdict).toBe(Verdict.Transmit);
  });
});
