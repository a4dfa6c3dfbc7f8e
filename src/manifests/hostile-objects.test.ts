import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ciliumConfig,
  clusterNode,
  endpointSlice,
  ipPool,
  lbService,
  peeringPolicy,
} from "../../test/fixtures/kubernetes-objects.ts";
import { plan } from "../control/plan.ts";
import { composeIntent } from "./compose-intent.ts";
import { readObject } from "./read-object.ts";

const VALID: readonly object[] = [
  ipPool("p", ["10.0.0.0/24", "10.1.0.1-10.1.0.9"], { spec: { serviceSelector: { matchLabels: { a: "b" } } } }),
  lbService("a", { labels: { a: "b" }, annotations: { "lbipam.cilium.io/ips": "10.0.0.1" }, held: ["10.0.0.1"] }),
  endpointSlice("a", [{ address: "10.2.0.1", node: "n", conditions: { ready: true } }]),
  clusterNode("n", "10.1.1.1", {
    podCIDRs: ["10.2.0.0/24"],
    annotations: { "cilium.io/bgp-virtual-router.65000": "x=y" },
  }),
  ciliumConfig({ "enable-bgp-control-plane": "true" }),
  peeringPolicy("policy", {
    serviceSelector: { matchExpressions: [{ key: "a", operator: "Exists" }] },
    neighbors: [
      {
        peerAddress: "10.0.0.1/32",
        peerASN: 65001,
        gracefulRestart: { enabled: true },
        advertisedPathAttributes: [{ selectorType: "PodCIDR", communities: { standard: ["1:1"] } }],
      },
    ],
  }),
];

const junk = fc.oneof(
  fc.constantFrom(
    undefined,
    null,
    "",
    "10.0.0.0/33",
    "::",
    "constructor",
    "__proto__",
    0,
    -1,
    1e300,
    [],
    {},
    [null],
    true,
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

type Container = Record<string | number, unknown>;

/** Every place in an object, as the container and the key in it. */
function places(value: unknown, found: [Container, string | number][] = []): [Container, string | number][] {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    found.push([value as Container, key]);
    places((value as Container)[key], found);
  }
  return found;
}

describe("objects with junk in any of their fields", () => {
  test("are read or refused with a reason, never a throw, and what is read can be planned", () => {
    const mutation = fc.tuple(fc.nat(), fc.nat(), junk);
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        const objects = structuredClone(VALID) as object[];
        for (const [which, where, value] of mutations) {
          const all = places(objects[which % objects.length]);
          const [container, key] = all[where % all.length]!;
          container[key] = structuredClone(value);
        }
        const sources = objects.flatMap((object) => {
          const read = readObject(object);
          if (read.manifest === null) return [];
          return [{ object: read.object, where: "test", manifest: read.manifest }];
        });
        const planned = plan(composeIntent(sources).intent);
        expect(JSON.parse(JSON.stringify(planned))).toEqual(planned);
      }),
      { numRuns: 400 },
    );
  });

  test("that are no objects at all are refused with a reason", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const { manifest, findings } = readObject(value);
        expect(manifest).toBeNull();
        expect(findings).not.toEqual([]);
      }),
    );
  });
});
