/** The packet scenarios through the pipeline: what `sluice replay` answers must be what each case expects or allows. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { judge, type Outcome } from "../src/replay/packet-case.ts";
import { replay } from "../src/replay/replay.ts";
import { parseScenario } from "../src/replay/scenario.ts";

interface Case {
  readonly id: string;
  readonly config: string;
  readonly tags: readonly string[];
  readonly prior: readonly Record<string, unknown>[];
  readonly input: Record<string, unknown>;
  readonly expect: Outcome;
  readonly alt?: readonly Outcome[];
}

const file = JSON.parse(readFileSync(new URL("./data/packet-scenarios.json", import.meta.url), "utf8")) as {
  configs: Record<string, object>;
  cases: readonly Case[];
};

/** What the datapath does so far: NAT for IPv4, ARP, TCP sanity, malformed frames. */
const BUILT = /^(nat4|arp|trunc|bad|tcp|vlan-|nobackend4-drop|truncudp)/;

describe("packet scenarios", () => {
  for (const scenario of file.cases) {
    const missing = reasonToSkip(scenario);
    if (missing !== null) {
      it.skip(`${scenario.id}: ${missing}`);
      continue;
    }
    it(scenario.id, () => {
      const { results } = replay(
        parseScenario({
          ...file.configs[scenario.config],
          id: scenario.id,
          frames: [...scenario.prior, scenario.input],
        }),
      );
      const outcomes = [scenario.expect, ...(scenario.alt ?? [])];
      const complaints = outcomes.map((outcome) => judge(results.at(-1)!, outcome));
      expect(complaints.includes(null), complaints.join("\n")).toBe(true);
    });
  }
});

function reasonToSkip(scenario: Case): string | null {
  if (scenario.config === "nat" && BUILT.test(scenario.id)) return null;
  return `needs ${scenario.tags.join(", ")} (${scenario.config})`;
}
