import { describe, expect, test } from "vitest";
import { formatRange } from "../net/ip-range.ts";
import { formatPath } from "./finding.ts";
import { readObject } from "./read-object.ts";

function read(spec: object) {
  const result = readObject({
    apiVersion: "cilium.io/v2alpha1",
    kind: "CiliumLoadBalancerIPPool",
    metadata: { name: "p" },
    spec,
  });
  return {
    pool: result.manifest?.type === "pool" ? result.manifest.pool : null,
    said: result.findings.map(({ severity, path, message }) => `${severity} ${formatPath(path)}: ${message}`),
  };
}

const blocks = (spec: object) => read(spec).pool!.blocks.map(formatRange);

describe("a pool", () => {
  test("has its blocks as CIDR, as range and as one address", () => {
    const spec = { blocks: [{ cidr: "10.0.10.7/24" }, { start: "10.1.0.5", stop: "10.1.0.9" }, { start: "fd00::1" }] };
    expect(blocks(spec)).toEqual(["10.0.10.0 - 10.0.10.255", "10.1.0.5 - 10.1.0.9", "fd00::1 - fd00::1"]);
    expect(read(spec).pool!.blocks.map(({ fromCidr }) => fromCidr)).toEqual([true, false, false]);
  });

  test("may have them under the name of old", () => {
    expect(blocks({ cidrs: [{ cidr: "10.0.10.0/24" }] })).toEqual(["10.0.10.0 - 10.0.10.255"]);
  });

  test("gives first and last addresses and is open unless it says otherwise", () => {
    expect(read({}).pool).toMatchObject({ allowFirstLastAddresses: true, disabled: false, serviceSelector: null });
    expect(read({ allowFirstLastIPs: "No", disabled: true }).pool).toMatchObject({
      allowFirstLastAddresses: false,
      disabled: true,
    });
  });

  test.each([
    [{ cidr: "10.0.10.0" }, 'error spec.blocks[0].cidr: must be a CIDR such as 192.0.2.0/24; is "10.0.10.0"'],
    [
      { start: "10.0.0.9", stop: "10.0.0.5" },
      "error spec.blocks[0]: start 10.0.0.9 comes after stop 10.0.0.5; swap them",
    ],
    [
      { start: "10.0.0.9", stop: "fd00::1" },
      "error spec.blocks[0]: start and stop must be of one family, both IPv4 or both IPv6",
    ],
    [{ start: "ten" }, 'error spec.blocks[0].start: must be an IP address; is "ten"'],
    [{ start: "10.0.0.1", stop: "10.0.0" }, 'error spec.blocks[0].stop: must be an IP address; is "10.0.0"'],
    [{}, "error spec.blocks[0]: must have a cidr, or a start with an optional stop"],
    [
      { cidr: "10.0.0.0/24", start: "10.0.0.1" },
      "error spec.blocks[0]: must have either cidr or start and stop, not both",
    ],
  ])("with the block %j says %s", (block, message) => {
    expect(read({ blocks: [block] })).toEqual({ pool: null, said: [message] });
  });
});
