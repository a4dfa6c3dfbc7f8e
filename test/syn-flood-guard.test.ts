/** When the guard against floods asks for SYN cookies and limits, tick by tick; test/policy-answers.test.ts has its answers. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { addressWords } from "../src/dataplane/address-hash.ts";
import { Counter } from "../src/policy/counter.ts";
import { Continue, type FlowAddress, type NewFlow } from "../src/policy/define-policy.ts";
import { SharedState } from "../src/policy/shared-state.ts";
import { fillSourceLimit, SOURCE_LIMIT } from "../src/policy/source-limit.ts";
import { fillSynCookies, SYN_COOKIES, SynCookies } from "../src/policy/syn-cookies.ts";
import { loadModule } from "../src/policy-host/load-module.ts";
import { checkOptions } from "../src/policy-host/module-options.ts";

const guard = loadModule(fileURLToPath(new URL("../policies/syn-flood-guard.ts", import.meta.url)));

const address = (number: number): FlowAddress => ({
  words: addressWords({ family: 4, value: 0xc0000200n + BigInt(number) }),
  ...{ at: 0, hash: number, isIpv4: true },
});
const flowOf = (client: number) =>
  ({ client: address(client), vip: address(255), deny: () => 1 }) as unknown as NewFlow;

/** Some workers with one guard of ten flows a second and three seconds of calm. */
function guarded({ workers = 1, ...more }: { workers?: number; synCookies?: boolean } = {}) {
  const options = checkOptions(guard.options, {
    newFlowsPerSecond: 10,
    calmSeconds: 3,
    perSource: 5,
    strangersPerSecond: 2,
    ...more,
  });
  const clock = new Float64Array([1e9]);
  const first = new SharedState(clock, {}, () => "");
  guard.create({ options, state: first });
  const { memory } = first;
  const hooks = Array.from({ length: workers }, () =>
    guard.create({ options, state: new SharedState(clock, memory, null) }),
  );
  const begun = new Counter(memory["counter begun"]!);
  const cookies = new SynCookies(memory[SYN_COOKIES]!);
  const limit = memory[SOURCE_LIMIT]!;
  let now = 1000;
  /** A second, in the middle of which this begins here, is asked at the door, and is refused there. */
  const second = (flows = 0, questions = 0, refused = 0) => {
    for (const [worker, { onTick }] of hooks.entries()) {
      if (worker === hooks.length - 1) {
        begun.add(flows);
        fillSynCookies(memory[SYN_COOKIES]!, cookies.wanted, questions);
        fillSourceLimit(limit, refused);
      }
      onTick!(now + worker * 100);
    }
    now += 1000;
    return { cookies: cookies.wanted, limit: limit[0] };
  };
  /** What becomes of so many flows of clients that nobody knows. */
  const strangers = (count: number) =>
    Array.from({ length: count }, (_, client) => (hooks[0]!.onNewFlow!(flowOf(client)) === Continue ? "in" : "denied"));
  second();
  return { second, cookies, strangers };
}

const NOTHING = { cookies: false, limit: 0 };
const BOTH = { cookies: true, limit: 5 };

test("what is usual changes nothing; a flood has both at once, and for as long as it has not been calm", () => {
  const { second } = guarded();
  expect(second(10)).toEqual(NOTHING);
  expect(second(11)).toEqual(BOTH);
  expect([second(), second(), second()]).toEqual([BOTH, BOTH, BOTH]);
  expect(second(11)).toEqual(BOTH);
  expect([second(), second(), second(), second()]).toEqual([BOTH, BOTH, BOTH, NOTHING]);
});

test("a flood that the cookies keep out keeps the cookies, and ends the limit", () => {
  const { second } = guarded();
  second(1000);
  const later = Array.from({ length: 20 }, () => second(2, 1000));
  expect(later.slice(0, 3)).toEqual([BOTH, BOTH, BOTH]);
  expect(later.slice(3)).toEqual(Array(17).fill({ cookies: true, limit: 0 }));
  expect([second(2), second(2), second(2), second(2)].at(-1)).toEqual(NOTHING);
});

test("a flood of real sources that the limit refuses keeps the limit alone", () => {
  const { second, strangers } = guarded();
  second(1000);
  expect(strangers(4)).toEqual(["in", "in", "denied", "denied"]);
  const later = Array.from({ length: 20 }, () => second(5, 0, 1000));
  expect(later.slice(0, 3)).toEqual([BOTH, BOTH, BOTH]);
  expect(later.slice(3)).toEqual(Array(17).fill({ cookies: false, limit: 5 }));
  expect(strangers(4)).toEqual(["in", "in", "in", "in"]);
});

test("what the operator's own limit refuses is no flood", () => {
  const { second } = guarded();
  expect([second(5, 0, 1000), second(5, 0, 1000)]).toEqual([NOTHING, NOTHING]);
});

test("a worker that has not seen the flood does not end what another one has begun", () => {
  const { second } = guarded({ workers: 3 });
  expect(second(11)).toEqual(BOTH);
  expect([second(), second()]).toEqual([BOTH, BOTH]);
  for (let waited = 0; waited < 3; waited++) second();
  expect(second()).toEqual(NOTHING);
});

test("who wants no cookies has the limit alone", () => {
  const { second } = guarded({ synCookies: false });
  expect(second(11)).toEqual({ cookies: false, limit: 5 });
});

test("cookies are unavailable until a door says how it is", () => {
  const { second, cookies } = guarded();
  expect(new SynCookies(new Int32Array(SynCookies.words)).state).toBe("unavailable");
  second(11);
  second();
  expect(cookies.state).toBe("on");
  expect(() => cookies.want("yes" as unknown as boolean)).toThrow(/true or false; got yes/);
});
