import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatIpAddress, parseIpAddress } from "../net/ip-address.ts";
import { PROTOCOL_TCP } from "../wire/ipv4.ts";
import { loadAddress, swap16 } from "../wire/raw.ts";
import { addressWords } from "./address-hash.ts";
import { buildForwardingTable } from "./build-forwarding-table.ts";
import { NO_BACKEND } from "./forwarding-layout.ts";
import { EMPTY_FORWARDING_SPEC, type ForwardingMode, type ForwardingSpec } from "./forwarding-spec.ts";
import type { ForwardingTable } from "./forwarding-table.ts";
import { IdRegistry } from "./id-registry.ts";
import { TableMemory } from "./table-memory.ts";

const KEY = { k0: 1, k1: 2 };
const HASHES = Array.from({ length: 50 }, (_, index) => Math.imul(index + 1, 0x9e3779b1) >>> 0);
const vipAddress = (vip: number) => parseIpAddress(`198.51.${100 + (vip >> 8)}.${vip & 255}`)!;

function spec(pods: readonly number[], mode: ForwardingMode, vips = 1, maglevTableSize = 251): ForwardingSpec {
  return {
    ...EMPTY_FORWARDING_SPEC,
    maglevTableSize,
    vips: Array.from({ length: vips }, (_, vip) => ({
      service: `test/web${vip}`,
      address: vipAddress(vip),
      port: 80,
      protocol: "TCP",
      mode,
      backends: pods.map((pod) => ({
        address: parseIpAddress(`10.2.0.${pod + 1}`)!,
        port: 8080,
        weight: 1,
        draining: false,
        node: null,
      })),
      affinity: false,
      sourceNat: "none",
      sources: null,
      policies: [],
    })),
  };
}

/** Epochs one after another, as a running node builds them. */
function node(mode: ForwardingMode = "dsr-opt") {
  const context = { key: KEY, ids: new IdRegistry(), memory: new TableMemory(KEY), portNames: ["net"] };
  let epoch = 0;
  return (pods: readonly number[], vips?: number, maglevTableSize?: number) =>
    buildForwardingTable(spec(pods, mode, vips, maglevTableSize), { ...context, epoch: ++epoch });
}

const vipOf = (table: ForwardingTable, vip = 0) =>
  table.vip(addressWords(vipAddress(vip)), 0, swap16(80), PROTOCOL_TCP);

function nameOf(table: ForwardingTable, backend: number): string | null {
  return backend === NO_BACKEND ? null : formatIpAddress(loadAddress(table.backends, backend));
}

describe("the sets of backends that a VIP chose from before", () => {
  it("say what was chosen then, of backends that are still there, as the tables of then would", () => {
    const pods = fc.uniqueArray(fc.integer({ min: 0, max: 7 }), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(pods, { minLength: 2, maxLength: 7 }), (epochs) => {
        const serve = node();
        let last = serve([]);
        // Noted at once: what nobody wants any more, its memory is used again.
        const chosen = epochs.map((each) => {
          last = serve(each);
          return HASHES.map((hash) => nameOf(last, last.backend(vipOf(last), hash)));
        });
        const today = epochs.at(-1)!.toString();
        // The slow twin: all different ones of before that had a backend which is still there, the newest first.
        const before = epochs
          .map((set, index) => ({ set: set.toString(), index, lives: set.some((pod) => epochs.at(-1)!.includes(pod)) }))
          .filter(({ set, lives }, index, all) => {
            return lives && set !== today && all.findLastIndex((other) => other.set === set) === index;
          })
          .reverse();
        expect(last.formerSets(vipOf(last))).toBe(before.length);
        const members = new Set(epochs.at(-1)!.map((pod) => `10.2.0.${pod + 1}`));
        before.forEach(({ index }, set) => {
          const now = HASHES.map((hash) => nameOf(last, last.formerBackend(vipOf(last), set, hash)));
          expect(now).toEqual(chosen[index]!.map((then) => (then !== null && members.has(then) ? then : null)));
        });
      }),
      { numRuns: 100 },
    );
  });

  it("are eight at most", () => {
    const serve = node();
    for (let pods = 2; pods < 20; pods++) serve(Array.from({ length: pods }, (_, pod) => pod));
    const table = serve([0, 1]);
    expect(table.formerSets(vipOf(table))).toBe(8);
  });

  it("are 512 at most of all VIPs, and the oldest go first", () => {
    const serve = node();
    serve([0, 1], 400);
    serve([0, 1, 2], 400);
    const table = serve([0, 1, 2, 3], 400);
    const counts = Array.from({ length: 400 }, (_, vip) => table.formerSets(vipOf(table, vip)));
    expect(counts.reduce((sum, count) => sum + count)).toBe(512);
    expect(Math.min(...counts)).toBe(1);
  });

  it("are forgotten with the VIP, and with the size of its tables", () => {
    const serve = node();
    serve([0, 1]);
    serve([0, 1, 2], 0);
    const back = serve([0, 1, 2]);
    expect(back.formerSets(vipOf(back))).toBe(0);
    const resized = [serve([0, 1]), serve([0, 1, 2], 1, 509)].at(-1)!;
    expect(resized.formerSets(vipOf(resized))).toBe(0);
  });

  it("are none where a flow can't go on by another node", () => {
    const serve = node("nat");
    serve([0, 1]);
    const table = serve([0, 1, 2]);
    expect(table.formerSets(vipOf(table))).toBe(0);
  });
});
