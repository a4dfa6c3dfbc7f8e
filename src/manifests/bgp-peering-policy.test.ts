import { describe, expect, test } from "vitest";
import { peeringPolicy } from "../../test/fixtures/kubernetes-objects.ts";
import type { BgpPolicy } from "../intent/bgp-policy.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { formatPath } from "./finding.ts";
import { readObject } from "./read-object.ts";

function policy(object: object): BgpPolicy {
  const { manifest } = readObject(object);
  if (manifest?.type !== "bgp-policy") throw new Error("not a policy");
  return manifest.policy;
}

function said(object: object): string[] {
  return readObject(object).findings.map(
    ({ severity, path, message }) => `${severity} ${formatPath(path)}: ${message}`,
  );
}

const neighbor = (fields: object) => ({ neighbors: [{ peerAddress: "10.0.0.1/32", peerASN: 65001, ...fields }] });
const AT = "spec.virtualRouters[0].neighbors[0]";

describe("a peering policy", () => {
  test("has Cilium's defaults", () => {
    expect(policy(peeringPolicy("p", {}))).toEqual({
      object: "CiliumBGPPeeringPolicy/p",
      generation: "peering-policy",
      createdAtMilliseconds: null,
      nodeSelectors: null,
      nodeName: null,
      overrides: [],
      missing: [],
      virtualRouters: [
        {
          localAsn: 65000,
          name: null,
          routerId: null,
          listenPort: null,
          neighbors: [
            {
              name: null,
              localAddress: null,
              advertisements: [],
              address: { family: 4, value: 0x0a000001n },
              port: 179,
              asn: 65001,
              ebgpMultihopTtl: 1,
              connectRetrySeconds: 120,
              holdTimeSeconds: 90,
              keepaliveTimeSeconds: 30,
              gracefulRestartSeconds: null,
              passwordName: null,
              families: [
                { afi: "ipv4", safi: "unicast" },
                { afi: "ipv6", safi: "unicast" },
              ],
              attributes: [],
            },
          ],
        },
      ],
    });
  });

  test("is read under its older name too", () => {
    expect(policy({ ...peeringPolicy("p", {}), kind: "BGPPeeringPolicy" }).object).toBe("BGPPeeringPolicy/p");
  });

  test.each([
    ["10.0.5.1/24", "10.0.5.1"],
    ["10.0.5.1", "10.0.5.1"],
    ["fd00::1/64", "fd00::1"],
  ])("takes the peer of %s to be %s", (peerAddress, expected) => {
    const read = policy(peeringPolicy("p", neighbor({ peerAddress })));
    expect(formatIpAddress(read.virtualRouters[0]!.neighbors[0]!.address)).toBe(expected);
  });

  test.each([
    [
      { peerAddress: "router1" },
      `error ${AT}.peerAddress: must be the peer's address, such as 192.0.2.1/32; is "router1"`,
    ],
    [{ peerASN: 4294967296 }, `error ${AT}.peerASN: must be at most 4294967295, is 4294967296`],
    [{ peerASN: "65001" }, `error ${AT}.peerASN: must be a whole number, is "65001"`],
    [{ peerPort: 0 }, `error ${AT}.peerPort: must be at least 1, is 0`],
    [{ holdTimeSeconds: 2 }, `error ${AT}.holdTimeSeconds: must be at least 3, is 2`],
    [
      { holdTimeSeconds: 9 },
      `error ${AT}.keepAliveTimeSeconds: must not be longer than holdTimeSeconds (9); a third of it is usual`,
    ],
    [
      { families: [{ afi: "l2vpn", safi: "evpn" }] },
      `warning ${AT}.families[0]: l2vpn/evpn is not supported; only unicast of ipv4 and ipv6 is`,
    ],
  ])("with the neighbour %j says %s", (fields, message) => {
    expect(said(peeringPolicy("p", neighbor(fields)))).toEqual([message]);
  });

  test("names each AS number once per node", () => {
    const router = { localASN: 65000, ...neighbor({}) };
    expect(said({ ...peeringPolicy("p", {}), spec: { virtualRouters: [router, router] } })).toEqual([
      "error spec.virtualRouters[1].localASN: 65000 is used twice; a node runs one router per AS number",
    ]);
  });

  test("needs a router and a neighbour", () => {
    expect(said({ ...peeringPolicy("p", {}), spec: { virtualRouters: [] } })).toEqual([
      "error spec.virtualRouters: must have at least 1 entry",
    ]);
    expect(said(peeringPolicy("p", { neighbors: [] }))).toEqual([
      "error spec.virtualRouters[0].neighbors: must have at least 1 entry",
    ]);
  });

  test("understands communities in each of their forms", () => {
    const advertisedPathAttributes = [
      {
        selectorType: "PodCIDR",
        communities: { standard: ["65000:1", "4259840002"], wellKnown: ["no-export"], large: ["65000:1:2"] },
        localPreference: 200,
      },
    ];
    const read = policy(peeringPolicy("p", neighbor({ advertisedPathAttributes })));
    expect(read.virtualRouters[0]!.neighbors[0]!.attributes).toEqual([
      {
        appliesTo: "pod-cidr",
        selector: null,
        communities: ["65000:1", "65000:2", "65535:65281"],
        largeCommunities: ["65000:1:2"],
        localPreference: 200,
      },
    ]);
  });

  test("with a selector that cannot hold is an error", () => {
    const serviceSelector = { matchExpressions: [{ key: "a", operator: "In", values: [] }] };
    expect(said(peeringPolicy("p", { serviceSelector }))).toEqual([
      "error spec.virtualRouters[0].serviceSelector.matchExpressions[0].values: must not be empty for In",
    ]);
  });
});
