import { describe, expect, test } from "vitest";
import type { FamilyPolicy } from "../intent/service.ts";
import { requestedFamilies } from "./family-request.ts";

const cases: readonly [FamilyPolicy | null, (4 | 6)[], boolean, boolean, (4 | 6)[]][] = [
  [null, [], true, true, [4]],
  [null, [], false, true, [6]],
  [null, [6], true, false, [6]],
  [null, [6, 4], true, true, [6]],
  ["SingleStack", [], true, true, [4]],
  ["SingleStack", [6], true, true, [6]],
  ["PreferDualStack", [], true, true, [4, 6]],
  ["PreferDualStack", [], true, false, [4]],
  ["PreferDualStack", [4, 6], true, false, [4]],
  ["PreferDualStack", [6], true, true, [6]],
  ["RequireDualStack", [4], true, true, [4, 6]],
  ["RequireDualStack", [], true, false, [4]],
];

describe("the families that a Service asks for", () => {
  test.each(cases)(
    "policy %s, families %j, IPv4 on: %s, IPv6 on: %s give %j",
    (familyPolicy, families, v4, v6, expected) => {
      expect(requestedFamilies({ familyPolicy, families }, { ipv4Enabled: v4, ipv6Enabled: v6 })).toEqual(expected);
    },
  );
});
