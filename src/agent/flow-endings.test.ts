import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { gateway, ROUTER_MAC, VIP, WAN, WAN_MAC } from "../../test/fixtures/gateway.ts";
import { segmentFrame } from "../../test/fixtures/segments.ts";
import { FlowTable4 } from "../dataplane/flow-table4.ts";
import { EMPTY_FORWARDING_SPEC } from "../dataplane/forwarding-spec.ts";
import { IdRegistry } from "../dataplane/id-registry.ts";
import { giveWay } from "../xdp/wait.ts";
import { FlowEndings } from "./flow-endings.ts";

vi.mock("../xdp/wait.ts", { spy: true });

const SYN = 0x02;

/** A flow that nobody has answered, opened in second 1000, and the clock by which it is judged. */
function oneFlow(takenOver: boolean) {
  const { batch, bytes, pipeline, flows4, ids } = gateway(1, 1 << 14, 1024);
  const frame = segmentFrame({
    destinationMac: WAN_MAC,
    sourceMac: ROUTER_MAC,
    source: "203.0.113.10",
    destination: VIP,
    sourcePort: 40000,
    destinationPort: 80,
    protocol: "TCP",
    flags: SYN,
  });
  bytes.set(frame, 256);
  batch.holdOne(256, frame.length, WAN);
  pipeline.run(1000);
  const clock = { seconds: 1000 };
  const endings = new FlowEndings([flows4], ids, () => clock.seconds, takenOver);
  return { ids, endings, clock, ended: () => 1 - flows4.load.total() };
}

describe("flows that the main thread ends", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("are those of VIPs that are no longer served, whose ids are then free", () => {
    const { ids, endings, ended } = oneFlow(false);
    endings.retire(EMPTY_FORWARDING_SPEC);
    expect([ended(), ids.vips().size]).toEqual([1, 0]);
    endings.close();
  });

  it("are none of the process before, until a plan has something in it", () => {
    const { ids, endings, ended } = oneFlow(true);
    endings.retire(EMPTY_FORWARDING_SPEC);
    expect(ended()).toBe(0);
    expect(ids.vips().size).toBeGreaterThan(0);
    endings.close();
  });

  it("are those whose VIP's policies are to be asked again", () => {
    const { ids, endings, ended } = oneFlow(false);
    endings.askAgain(new Set());
    expect(ended()).toBe(0);
    endings.askAgain(new Set(ids.vips().keys()));
    expect(ended()).toBe(1);
    endings.close();
  });

  it("are those silent for too long, within the time of one round", () => {
    const { endings, clock, ended } = oneFlow(false);
    clock.seconds = 1059;
    vi.advanceTimersByTime(10_000);
    expect(ended()).toBe(0);
    clock.seconds = 1061;
    vi.advanceTimersByTime(10_000);
    expect(ended()).toBe(1);
    endings.close();
  });

  it("are looked for in steps of a thousand rows, between which others may have the core", () => {
    const table = new FlowTable4(new Int32Array(16 << 17), { k0: 1, k1: 2 });
    const looks = vi.spyOn(table, "isLive");
    const steps: number[] = [];
    vi.mocked(giveWay).mockImplementation(() => {
      steps.push(looks.mock.calls.length);
      looks.mockClear();
    });
    const endings = new FlowEndings([table], new IdRegistry(), () => 1000, false);
    vi.advanceTimersByTime(10_000);
    expect(Math.max(...steps)).toBeLessThanOrEqual(1024);
    expect(steps.reduce((sum, rows) => sum + rows)).toBeGreaterThanOrEqual(table.capacity);
    endings.close();
  });
});
