import { describe, expect, test } from "vitest";
import { intentOf, ipPool } from "../../test/fixtures/kubernetes-objects.ts";
import { poolConflicts } from "./pool-conflicts.ts";

const conflicting = (...pools: readonly object[]) => [...poolConflicts(intentOf(...pools).pools).keys()];
const at = (year: number) => ({ createdAt: `${year}-01-01T00:00:00Z` });

describe("pools that overlap", () => {
  test("stop the younger one, whatever its name", () => {
    expect(conflicting(ipPool("a", ["10.0.0.0/24"], at(2022)), ipPool("b", ["10.0.0.128/25"], at(2021)))).toEqual([
      "a",
    ]);
  });

  test("stop the later one by name when both are of one age", () => {
    expect(conflicting(ipPool("b", ["10.0.0.0/24"], at(2022)), ipPool("a", ["10.0.0.0/24"], at(2022)))).toEqual(["b"]);
  });

  test("do not stop a third one that overlaps only what is stopped already", () => {
    const pools = [
      ipPool("first", ["10.0.0.0-10.0.0.9"], at(2020)),
      ipPool("second", ["10.0.0.5-10.0.0.20"], at(2021)),
      ipPool("third", ["10.0.0.15-10.0.0.30"], at(2022)),
    ];
    expect(conflicting(...pools)).toEqual(["second"]);
  });

  test("touch without overlapping when one ends where the other starts", () => {
    expect(conflicting(ipPool("a", ["10.0.0.0-10.0.0.9"]), ipPool("b", ["10.0.0.10-10.0.0.20"]))).toEqual([]);
  });

  test("are of one family: 0.0.0.0/0 and ::/0 live together", () => {
    expect(conflicting(ipPool("a", ["0.0.0.0/0"]), ipPool("b", ["::/0"]))).toEqual([]);
  });

  test("may be one pool that overlaps itself", () => {
    expect(conflicting(ipPool("a", ["10.0.0.0/24", "10.0.0.64/28"]))).toEqual(["a"]);
  });
});
