import { expect, test } from "vitest";
import { withLiveOwners } from "./live-owners.ts";
import type { Plan } from "./plan.ts";

test("the owner that nodes agreed on replaces the planned one, and an address without owner has none", () => {
  const address = (owner: boolean) => ({ address: "10.0.5.100", interfaces: ["net0"], owner, service: "default/web" });
  const other = { address: "10.0.5.101", interfaces: ["net0"], owner: true, service: "default/api" };
  const planned = {
    l2Owners: { "10.0.5.100": "n1", "10.0.5.101": "n1" },
    nodes: {
      n1: { bgp: [], l2: [address(true), other], conditions: [] },
      n2: { bgp: [], l2: [address(false)], conditions: [] },
    },
  } as unknown as Plan;
  const live = withLiveOwners(planned, { "10.0.5.100": "n2", "10.0.5.101": null });
  expect(live.l2Owners).toEqual({ "10.0.5.100": "n2" });
  expect(live.nodes["n1"]!.l2.map(({ owner }) => owner)).toEqual([false, false]);
  expect(live.nodes["n2"]!.l2.map(({ owner }) => owner)).toEqual([true]);
});
