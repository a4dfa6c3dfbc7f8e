import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FlowTable,
  flowTableMemory,
  GRACE_SECONDS,
  NO_ROW,
  PROBE_LIMIT,
  ROW_NEW_DESTINATION,
  ROW_NEW_PORTS,
  ROW_NEW_SOURCE,
  ROW_TAG,
  ROW_WORDS,
  TAG_REPLY,
} from "./flow-table.ts";

const KEY = { k0: 1, k1: 2 };
const TCP = 6;

function open(table: FlowTable, source: number, now: number, hash = table.hash(source, 7, 9, TCP)): number {
  const row = table.claim(hash, source, 7, 9, TCP, 0, now);
  if (row !== NO_ROW) table.publish(row);
  return row;
}

function lookUp(table: FlowTable, source: number): number {
  return table.find(table.hash(source, 7, 9, TCP), source, 7, 9, TCP);
}

describe("a flow table", () => {
  it("finds what was published, and nothing that was only claimed", () => {
    const table = new FlowTable(flowTableMemory(256), KEY);
    const hash = table.hash(5, 7, 9, TCP);
    const row = table.claim(hash, 5, 7, 9, TCP, 0, 10);
    expect(lookUp(table, 5)).toBe(NO_ROW);
    table.publish(row);
    expect(lookUp(table, 5)).toBe(row);
  });

  it("tells protocols apart that share addresses and ports", () => {
    const table = new FlowTable(flowTableMemory(256), KEY);
    open(table, 5, 10);
    expect(table.find(table.hash(5, 7, 9, 17), 5, 7, 9, 17)).toBe(NO_ROW);
  });

  it("does not give a withdrawn row away before the grace period is over", () => {
    const table = new FlowTable(flowTableMemory(PROBE_LIMIT), KEY);
    const rows = Array.from({ length: PROBE_LIMIT }, (_, source) => open(table, source + 1, 10));
    expect(rows).not.toContain(NO_ROW);
    table.withdraw(rows[0]!, 20);
    expect(open(table, 99, 20 + GRACE_SECONDS - 1)).toBe(NO_ROW);
    expect(open(table, 99, 20 + GRACE_SECONDS)).toBe(rows[0]);
  });

  it("says so when all slots of a probe window are taken, and an abandoned claim leaves nothing behind", () => {
    const table = new FlowTable(flowTableMemory(256), KEY);
    // Keys of one home slot: the hash is given by hand.
    for (let source = 1; source <= PROBE_LIMIT; source++) expect(open(table, source, 10, 3)).not.toBe(NO_ROW);
    expect(open(table, 99, 10, 3)).toBe(NO_ROW);
    const other = new FlowTable(flowTableMemory(256), KEY);
    other.abandon(other.claim(other.hash(5, 7, 9, TCP), 5, 7, 9, TCP, 0, 10));
    expect(other.words.some((word, index) => index % ROW_WORDS === ROW_TAG && (word & 0xff000300) !== 0)).toBe(false);
  });

  it("finds the other direction of a flow from either row", () => {
    const table = new FlowTable(flowTableMemory(256), KEY);
    const request = table.claim(table.hash(1, 2, 3 | (4 << 16), TCP), 1, 2, 3 | (4 << 16), TCP, 0, 10);
    const reply = table.claim(table.hash(5, 1, 6 | (3 << 16), TCP), 5, 1, 6 | (3 << 16), TCP, TAG_REPLY, 10);
    table.words[request + ROW_NEW_SOURCE] = 1;
    table.words[request + ROW_NEW_DESTINATION] = 5;
    table.words[request + ROW_NEW_PORTS] = 3 | (6 << 16);
    table.words[reply + ROW_NEW_SOURCE] = 2;
    table.words[reply + ROW_NEW_DESTINATION] = 1;
    table.words[reply + ROW_NEW_PORTS] = 4 | (3 << 16);
    table.publish(request);
    table.publish(reply);
    expect(table.peer(request)).toBe(reply);
    expect(table.peer(reply)).toBe(request);
  });

  it("agrees with a Map under any sequence of opens and withdrawals, in a crowded table", () => {
    const operations = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 40 })), { maxLength: 300 });
    fc.assert(
      fc.property(operations, fc.integer(), (steps, k0) => {
        const table = new FlowTable(flowTableMemory(64), { k0, k1: 7 });
        const twin = new Map<number, number>();
        let now = 0;
        for (const [opens, source] of steps) {
          now += GRACE_SECONDS;
          if (opens && !twin.has(source)) {
            const row = open(table, source, now);
            if (row !== NO_ROW) twin.set(source, row);
          } else if (!opens && twin.has(source)) {
            expect(table.withdraw(twin.get(source)!, now)).toBe(true);
            twin.delete(source);
          }
          for (let each = 1; each <= 40; each++) expect(lookUp(table, each)).toBe(twin.get(each) ?? NO_ROW);
        }
        for (const [, row] of twin) table.withdraw(row, now);
        // No live row, no overflow left: nothing to clean up, ever.
        for (let row = 0; row < table.words.length; row += ROW_WORDS) {
          expect(table.words[row + ROW_TAG]! & 0xff000300).toBe(0);
        }
      }),
      { numRuns: 60 },
    );
  });
});
