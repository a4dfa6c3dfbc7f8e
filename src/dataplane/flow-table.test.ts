import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { storeMapped } from "../wire/raw.ts";
import {
  type FlowKey,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  newFlowKey,
  reverseKey,
} from "./flow-key.ts";
import { type FlowTable, GRACE_SECONDS, NO_ROW, PROBE_LIMIT, TAG_REPLY } from "./flow-table.ts";
import { FlowTable4, flowTable4Memory } from "./flow-table4.ts";
import { FlowTable6, flowTable6Memory } from "./flow-table6.ts";

const SECRET = { k0: 1, k1: 2 };
const TCP = 6;
const UDP = 17;
/** LIVE, CLAIMED and the overflow count of a tag. */
const NOT_EMPTY = 0xff000300;

function key4(source: number, destination = 7, ports = 9, protocol = TCP): FlowKey {
  const key = newFlowKey();
  storeMapped(key, KEY_SOURCE, source);
  storeMapped(key, KEY_DESTINATION, destination);
  key[KEY_PORTS] = ports;
  key[KEY_PROTOCOL] = protocol;
  return key;
}

/** Differs from its like in one word of many. */
function key6(source: number, destination = 7, ports = 9, protocol = TCP): FlowKey {
  return Int32Array.of(0x20010db8, 1, 2, source, 0x20010db8, 3, destination, 4, ports, protocol);
}

/** One behaviour, two row formats. */
const families = [
  { name: "IPv4", make: (rows: number, secret = SECRET) => new FlowTable4(flowTable4Memory(rows), secret), key: key4 },
  { name: "IPv6", make: (rows: number, secret = SECRET) => new FlowTable6(flowTable6Memory(rows), secret), key: key6 },
];

function open(table: FlowTable, key: FlowKey, now: number, hash = table.hashKey(key)): number {
  const row = table.claim(hash, key, key[KEY_PROTOCOL]!, 0, now);
  if (row !== NO_ROW) table.publish(row);
  return row;
}

function lookUp(table: FlowTable, key: FlowKey): number {
  return table.findKey(table.hashKey(key), key);
}

function isEmpty(table: FlowTable): boolean {
  for (let row = 0; row < table.words.length; row += table.layout.words) {
    if ((table.words[row + table.layout.tag]! & NOT_EMPTY) !== 0) return false;
  }
  return true;
}

describe.each(families)("a flow table of $name", ({ make, key }) => {
  it("finds what was published, and nothing that was only claimed", () => {
    const table = make(256);
    const row = table.claim(table.hashKey(key(5)), key(5), TCP, 0, 10);
    expect(lookUp(table, key(5))).toBe(NO_ROW);
    table.publish(row);
    expect(lookUp(table, key(5))).toBe(row);
  });

  it("tells protocols apart that share addresses and ports", () => {
    const table = make(256);
    open(table, key(5), 10);
    expect(lookUp(table, key(5, 7, 9, UDP))).toBe(NO_ROW);
  });

  it("does not give a withdrawn row away before the grace period is over", () => {
    const table = make(PROBE_LIMIT);
    const rows = Array.from({ length: PROBE_LIMIT }, (_, source) => open(table, key(source + 1), 10));
    expect(rows).not.toContain(NO_ROW);
    table.withdraw(rows[0]!, 20);
    expect(open(table, key(99), 20 + GRACE_SECONDS - 1)).toBe(NO_ROW);
    expect(open(table, key(99), 20 + GRACE_SECONDS)).toBe(rows[0]);
  });

  it("says so when all slots of a probe window are taken, and an abandoned claim leaves nothing behind", () => {
    const table = make(256);
    // Keys of one home slot: the hash is given by hand.
    for (let source = 1; source <= PROBE_LIMIT; source++) expect(open(table, key(source), 10, 3)).not.toBe(NO_ROW);
    expect(open(table, key(99), 10, 3)).toBe(NO_ROW);
    const other = make(256);
    other.abandon(other.claim(other.hashKey(key(5)), key(5), TCP, 0, 10));
    expect(isEmpty(other)).toBe(true);
  });

  it("finds the other direction of a flow from either row, and gives back what was stored", () => {
    const table = make(256);
    const original = key(1, 2, 3 | (4 << 16));
    const translated = key(1, 5, 3 | (6 << 16));
    const replyKey = newFlowKey();
    const replyTranslated = newFlowKey();
    reverseKey(replyKey, translated);
    reverseKey(replyTranslated, original);
    const request = table.claim(table.hashKey(original), original, TCP, 0, 10);
    const reply = table.claim(table.hashKey(replyKey), replyKey, TCP, TAG_REPLY, 10);
    table.storeTranslation(request, translated);
    table.storeTranslation(reply, replyTranslated);
    table.publish(request);
    table.publish(reply);
    expect(table.peer(request)).toBe(reply);
    expect(table.peer(reply)).toBe(request);
    const loaded = newFlowKey();
    table.loadKey(request, loaded);
    expect([...loaded]).toEqual([...original]);
    table.loadTranslation(request, loaded);
    expect([...loaded]).toEqual([...translated]);
  });

  it("agrees with a Map under any sequence of opens and withdrawals, in a crowded table", () => {
    const operations = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 40 })), { maxLength: 300 });
    fc.assert(
      fc.property(operations, fc.integer(), (steps, k0) => {
        const table = make(64, { k0, k1: 7 });
        const twin = new Map<number, number>();
        let now = 0;
        for (const [opens, source] of steps) {
          now += GRACE_SECONDS;
          if (opens && !twin.has(source)) {
            const row = open(table, key(source), now);
            if (row !== NO_ROW) twin.set(source, row);
          } else if (!opens && twin.has(source)) {
            expect(table.withdraw(twin.get(source)!, now)).toBe(true);
            twin.delete(source);
          }
          for (let each = 1; each <= 40; each++) expect(lookUp(table, key(each))).toBe(twin.get(each) ?? NO_ROW);
        }
        for (const [, row] of twin) table.withdraw(row, now);
        // No live row, no overflow left: nothing to clean up, ever.
        expect(isEmpty(table)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
