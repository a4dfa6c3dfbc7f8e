/** The packet scenarios through the pipeline: what `sluice replay` answers must be what each case expects or allows. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type FrameResult, replay } from "../src/replay/replay.ts";
import { parseScenario } from "../src/replay/scenario.ts";
import { judge, type Outcome } from "./fixtures/packet-case.ts";

interface Case {
  readonly id: string;
  readonly config: string;
  readonly prior: readonly Record<string, unknown>[];
  readonly input: Record<string, unknown>;
  readonly expect: Outcome & { readonly relation?: string };
  readonly alt?: readonly Outcome[];
}

interface Vip {
  readonly backends: readonly { readonly addr: string }[];
}

const file = JSON.parse(readFileSync(new URL("./data/packet-scenarios.json", import.meta.url), "utf8")) as {
  configs: Record<string, { vips: readonly Vip[] }>;
  cases: readonly Case[];
};

describe("packet scenarios", () => {
  for (const scenario of file.cases) {
    it(scenario.id, () => {
      const results = run(scenario, [...scenario.prior, scenario.input]);
      const outcomes = [scenario.expect, ...(scenario.alt ?? [])];
      const complaints = outcomes.map((outcome) => judge(results.at(-1)!, outcome));
      expect(complaints.includes(null), complaints.join("\n")).toBe(true);
      const same = /^same_backend_as_prior:(\d+)$/.exec(scenario.expect.relation ?? "");
      if (same !== null) expect(destinationOf(results.at(-1)!)).toBe(destinationOf(results[Number(same[1])]!));
    });
  }
});

/** The results of a case's frames. A change of configuration between them becomes the services as they are after it. */
function run(scenario: Case, steps: readonly Record<string, unknown>[]): readonly FrameResult[] {
  const config = file.configs[scenario.config]!;
  const frames: Record<string, unknown>[] = [];
  for (const step of steps) {
    const change = step["config_change"] as { op: string; prior: number } | undefined;
    frames.push(
      change === undefined ? step : { vips: drained(config.vips, run(scenario, steps.slice(0, change.prior + 1))) },
    );
  }
  return replay(parseScenario({ ...config, id: scenario.id, frames })).results;
}

/** The services with the backend that the last result went to draining. */
function drained(vips: readonly Vip[], results: readonly FrameResult[]): readonly Vip[] {
  const gone = destinationOf(results.at(-1)!);
  const state = (addr: string) => (addr === gone ? { state: "draining" } : {});
  return vips.map((vip) => ({
    ...vip,
    backends: vip.backends.map((backend) => ({ ...backend, ...state(backend.addr) })),
  }));
}

/** Dotted quad of a forwarded frame's destination. */
function destinationOf({ frame }: FrameResult): string {
  return frame!
    .slice(60, 68)
    .match(/../g)!
    .map((octet) => Number.parseInt(octet, 16))
    .join(".");
}
