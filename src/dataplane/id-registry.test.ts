import { expect, test } from "vitest";
import { parseIpAddress } from "../net/ip-address.ts";
import { EMPTY_FORWARDING_SPEC, type VipSpec } from "./forwarding-spec.ts";
import { IdRegistry } from "./id-registry.ts";

function vip(address: string, ...backends: readonly string[]): VipSpec {
  return {
    service: "default/a",
    address: parseIpAddress(address)!,
    port: 80,
    protocol: "TCP",
    mode: "nat",
    backends: backends.map((text) => ({
      address: parseIpAddress(text)!,
      port: 8080,
      weight: 1,
      draining: false,
      node: null,
    })),
    affinity: false,
    sources: null,
    sourceNat: "none",
    policies: [],
  };
}

const spec = (...vips: readonly VipSpec[]) => ({ ...EMPTY_FORWARDING_SPEC, vips });

test("ids stay whatever comes and goes around them, and are given again when nothing has them", () => {
  const ids = new IdRegistry();
  const before = ids.of(vip("10.0.0.1", "10.1.0.1", "10.1.0.2"));
  const other = ids.of(vip("10.0.0.2", "10.1.0.1"));
  expect(other.id).not.toBe(before.id);
  const shrunk = vip("10.0.0.1", "10.1.0.2");
  expect(ids.of(shrunk)).toEqual({ id: before.id, backends: [before.backends[1]] });
  const retired = ids.missingFrom(spec(shrunk));
  expect(retired.isEmpty).toBe(false);
  expect(retired.isGone(other.id, 0)).toBe(true);
  expect(retired.isGone(before.id, before.backends[0]!)).toBe(true);
  expect(retired.isGone(before.id, before.backends[1]!)).toBe(false);
  ids.retain(spec(shrunk));
  expect(ids.vipById(other.id)).toBeNull();
  expect(ids.missingFrom(spec(shrunk)).isEmpty).toBe(true);
  expect(ids.of(vip("10.0.0.3")).id).toBe(other.id);
  expect(ids.of(vip("10.0.0.1", "10.1.0.2", "10.1.0.3")).backends).toEqual([before.backends[1], before.backends[0]]);
});

test("a spec that comes back after it was forgotten has ids of its own again", () => {
  const ids = new IdRegistry();
  const one = vip("10.0.0.1", "10.1.0.1");
  ids.of(one);
  ids.retain(spec());
  ids.of(vip("10.0.0.2"));
  expect(ids.of(one).id).toBe(1);
  expect(ids.vipById(1)).toBe(one);
});

test("more backends than 16 bits count are no trouble when they are of many VIPs", () => {
  const ids = new IdRegistry();
  const addresses = Array.from({ length: 200 }, (_, index) => `10.1.0.${index}`);
  for (let index = 0; index < 400; index++) ids.of(vip(`10.0.${index >> 8}.${index & 255}`, ...addresses));
  expect(ids.vips().size).toBe(400);
});

test("ids of flows that are older than the registry stay theirs, and what no spec names is retired", () => {
  const ids = new IdRegistry();
  const at = (address: string, port: number) => ({ address: parseIpAddress(address)!, port });
  const { port: vipPort } = vip("10.0.0.1", "10.1.0.1");
  const { port } = vip("10.0.0.1", "10.1.0.1").backends[0]!;
  const flow = { protocol: 6, vip: at("10.0.0.1", vipPort), vipId: 3, backend: at("10.1.0.9", port), backendId: 2 };
  ids.adopt(flow);
  ids.adopt({ ...flow, backend: at("10.1.0.1", port), backendId: 5 });
  ids.adopt({ ...flow, vip: at("10.0.0.7", vipPort), vipId: 1 });
  const kept = vip("10.0.0.1", "10.1.0.1", "10.1.0.2");
  const { id, backends } = ids.of(kept);
  expect(id).toBe(3);
  expect(backends[0]).toBe(5);
  expect([2, 5]).not.toContain(backends[1]);
  const retired = ids.missingFrom(spec(kept));
  expect([retired.isGone(3, 2), retired.isGone(3, 5), retired.isGone(1, 0)]).toEqual([true, false, true]);
  ids.retain(spec(kept));
  expect(ids.missingFrom(spec(kept)).isEmpty).toBe(true);
  expect([0, 1, 2]).toContain(ids.of(vip("10.0.0.8")).id);
});
