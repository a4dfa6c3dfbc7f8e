/** A flood of SYNs or datagrams against a full flow table: established flows lose nothing, and the flood makes its own room. */
import { describe, expect, it } from "vitest";
import { DROPPED, FLOWS_EVICTED, FLOWS_OPENED } from "../src/dataplane/counters.ts";
import { DropReason } from "../src/dataplane/drop-reason.ts";
import { Verdict } from "../src/dataplane/frame-batch.ts";
import { BACKEND, BACKEND_MAC, gateway, LAN, LAN_MAC, ROUTER_MAC, VIP, WAN, WAN_MAC } from "./fixtures/gateway.ts";
import { segmentFrame } from "./fixtures/segments.ts";

const SYN = 0x02;
const ACK = 0x10;
const ROWS = 1024;
const ESTABLISHED = 200;
const SECONDS = 10;
const FLOOD_PER_SECOND = 2000;

function flooded() {
  const { batch, pipeline, bytes, counters } = gateway(1, 1 << 14, ROWS);
  let now = 1000;
  function send(frame: Uint8Array, port: number): number {
    bytes.set(frame, 256);
    batch.holdOne(256, frame.length, port);
    pipeline.run(now);
    return batch.verdict[0]!;
  }
  const address = (client: number) => `11.0.${client >> 8}.${client & 255}`;
  const request = (client: number, protocol: "TCP" | "UDP", flags: number) =>
    segmentFrame({
      destinationMac: WAN_MAC,
      sourceMac: ROUTER_MAC,
      source: address(client),
      destination: VIP,
      sourcePort: 4000,
      destinationPort: 80,
      protocol,
      flags,
    });
  const answer = (client: number, flags: number) =>
    segmentFrame({
      destinationMac: LAN_MAC,
      sourceMac: BACKEND_MAC,
      source: BACKEND,
      destination: address(client),
      sourcePort: 8080,
      destinationPort: 4000,
      protocol: "TCP",
      flags,
    });
  for (let client = 0; client < ESTABLISHED; client++) {
    send(request(client, "TCP", SYN), WAN);
    send(answer(client, SYN | ACK), LAN);
    send(request(client, "TCP", ACK), WAN);
  }
  return {
    counters,
    /** Sends the flood of one second. @returns how many frames of established flows were lost meanwhile. */
    second(protocol: "TCP" | "UDP"): number {
      now++;
      let lost = 0;
      for (let frame = 0; frame < FLOOD_PER_SECOND; frame++) {
        const client = 1000 + (((now - 1000) * FLOOD_PER_SECOND + frame) % 60_000);
        send(request(client, protocol, SYN), WAN);
        if (frame % 10 !== 0) continue;
        const established = (frame / 10) % ESTABLISHED;
        if (send(request(established, "TCP", ACK), WAN) !== Verdict.Transmit) lost++;
        if (send(answer(established, ACK), LAN) !== Verdict.Transmit) lost++;
      }
      return lost;
    },
  };
}

describe.each(["TCP", "UDP"] as const)("a flood of unanswered %s flows", (protocol) => {
  it("takes nothing from established ones, and its own oldest ones make room", () => {
    const { counters, second } = flooded();
    let lost = 0;
    for (let turn = 0; turn < SECONDS; turn++) lost += second(protocol);
    expect(lost).toBe(0);
    const { totals, reasons } = counters;
    expect(reasons[DropReason.FlowTableFull]).toBe(totals[DROPPED]);
    expect(reasons[DropReason.FlowTableFull]).toBeGreaterThan(0);
    // More flows than the table has room for have been opened: the old ones went.
    expect(totals[FLOWS_OPENED]! - ESTABLISHED).toBeGreaterThan(ROWS);
    expect(totals[FLOWS_EVICTED]).toBeGreaterThan(ROWS / 2);
  });
});
