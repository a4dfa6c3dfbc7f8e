import { expect, test } from "vitest";
import { BATCH, CHUNK, FRAMES, layFrames, openAll } from "../../bench/pipeline/workload.ts";
import { gateway, INTERFACES } from "../../test/fixtures/gateway.ts";
import { Continue } from "./define-policy.ts";
import { makePolicyChain } from "./policy-chain.ts";
import { policyStatsMemory, sumPolicyStats } from "./policy-stats.ts";
import { directoryOf } from "./service-directory.ts";

const FLOWS = 1024;

test.each([1, 2, 3])("of %d policies each is asked about every flow, and timed as often as the others", (count) => {
  const names = ["first", "second", "third"].slice(0, count);
  const { pipeline, bytes, ids } = gateway(BATCH, FRAMES * CHUNK, 4 * FLOWS, undefined, { policies: names });
  const stats = policyStatsMemory(count);
  const running = names.map((name, slot) => ({
    name,
    slot,
    hooks: { onNewFlow: () => Continue },
    onError: "deny" as const,
  }));
  let clock = 0;
  const chain = makePolicyChain(pipeline, {
    batchClock: new Float64Array(1),
    readClock: (into) => {
      clock += 1000;
      into[0] = clock;
    },
    stats,
    watch: new Int32Array(1),
    watchAt: 0,
    onTrouble: () => {},
    onReason: () => {},
  });
  chain.show(running, directoryOf(ids), INTERFACES);
  pipeline.policies = chain;
  layFrames(bytes);
  openAll(pipeline, FLOWS);
  for (const slot of names.keys()) {
    expect(sumPolicyStats([stats], slot)).toMatchObject({
      asked: FLOWS,
      continued: FLOWS,
      timed: FLOWS / 128,
      nanoseconds: (FLOWS / 128) * 1000,
      longest: 1000,
    });
  }
});
