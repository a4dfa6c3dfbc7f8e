/**
 * As differential.test.ts, with XDP opening flows too: the same backend, the same ways, and rows that are the same to the
 * word. It opens all that is plain, and what it leaves it leaves untouched.
 */
import { describe, expect, test } from "vitest";
import { parseScenario } from "../../src/replay/scenario.ts";
import { isForXdpToOpen } from "./plain-opening.ts";
import { randomFlow, xorshift } from "./random-flow.ts";
import { DOCUMENTED_SCENARIOS, type Frames, PACKET_SCENARIOS, packetNode, play } from "./twin-scenarios.ts";
import { openTwinStage } from "./twin-stage.ts";

const stage = openTwinStage(true);
/** In all scenarios of a kind. */
const total = { opened: 0, left: 0 };

/** Plays a scenario; whoever has opened each of its flows must be who should have. @returns how many there were. */
function judge(scenario: Record<string, unknown>): number {
  stage.tally.begun.splice(0);
  play(stage, scenario);
  const parsed = parseScenario(scenario);
  const { begun } = stage.tally;
  const byXdp = begun.map(({ frame, byXdp }) => [Buffer.from(frame).toString("hex"), byXdp]);
  const firstFrames = begun.map(({ frame }) => frame);
  const should = firstFrames.map((frame, index) => [
    Buffer.from(frame).toString("hex"),
    isForXdpToOpen(frame, parsed, firstFrames.slice(0, index)),
  ]);
  expect(byXdp).toEqual(should);
  for (const { byXdp } of begun) total[byXdp ? "opened" : "left"]++;
  return begun.length;
}

describe("packet scenarios", () => {
  test.each(PACKET_SCENARIOS)("%s", (_id, scenario) => {
    judge(scenario);
  });

  test("eight of their flows are XDP's to open, and fifteen the workers'", () => {
    expect(total).toEqual({ opened: 8, left: 15 });
  });
});

/** In which a row is used again that still rests in the scenario's time, and not in the kernel's. */
const AFTER_A_REST = "a new SYN in TIME-WAIT opens a new flow";
/** The kernel's clock does not go on with the scenario's, it has no policies, and it doesn't wait for a MAC. */
const timeless = DOCUMENTED_SCENARIOS.filter(
  ([id, { frames, policies }]) =>
    id !== AFTER_A_REST &&
    policies === undefined &&
    (frames as Frames).every((step) => !("advanceSeconds" in step || "neighbors" in step)),
);

describe("documented scenarios without time", () => {
  test.each(timeless)("%s", (_id, scenario) => {
    judge(scenario);
  });
});

describe("random traffic", () => {
  test.each([1, 2, 3, 4, 5, 6])("seed %i", (seed) => {
    const next = xorshift(seed * 0x85ebca6b);
    for (let flow = 0; flow < 12; flow++) {
      const frames = randomFlow(next);
      // There is no VIP for the datagrams; each connection begins with a SYN that is right.
      const begun = judge({ ...packetNode("nat"), id: `random-${seed}-${flow}`, frames });
      if (isTcp(String(frames[0]!["frame"]))) expect(begun).toBeGreaterThan(0);
    }
  });
});

function isTcp(frame: string): boolean {
  const bytes = Buffer.from(frame, "hex");
  return bytes[bytes[12] === 0x08 ? 23 : 20] === 6;
}
