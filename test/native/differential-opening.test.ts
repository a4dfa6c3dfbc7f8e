/**
 * As differential.test.ts, with XDP opening flows too: the same backend, the same ways, and rows that are the same to the
 * word, wherever it opens one. What it leaves it leaves untouched.
 */
import { describe, expect, test } from "vitest";
import { randomFlow, xorshift } from "./random-flow.ts";
import { PACKET_SCENARIOS, packetNode, play } from "./twin-scenarios.ts";
import { openTwinStage } from "./twin-stage.ts";

const stage = openTwinStage(true);
const { tally } = stage;

describe("packet scenarios", () => {
  test.each(PACKET_SCENARIOS)("%s", (_id, scenario) => play(stage, scenario));

  test("some of their flows were XDP's to open", () => {
    expect(tally.opened).toBeGreaterThan(5);
  });
});

describe("random traffic", () => {
  test.each([1, 2, 3, 4, 5, 6])("seed %i", (seed) => {
    const next = xorshift(seed * 0x85ebca6b);
    const before = tally.opened;
    let begun = 0;
    for (let flow = 0; flow < 12; flow++) {
      const frames = randomFlow(next);
      if (isTcp(String(frames[0]!["frame"]))) begun++;
      play(stage, { ...packetNode("nat"), id: `random-${seed}-${flow}`, frames });
    }
    // There is no VIP for the datagrams; each connection begins with a SYN that is right.
    expect(begun).toBeGreaterThan(0);
    expect(tally.opened - before).toBeGreaterThanOrEqual(begun);
  });
});

function isTcp(frame: string): boolean {
  const bytes = Buffer.from(frame, "hex");
  return bytes[bytes[12] === 0x08 ? 23 : 20] === 6;
}
