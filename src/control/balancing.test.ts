import { describe, expect, test } from "vitest";
import {
  ciliumConfig,
  clusterNode,
  endpointSlice,
  intentOf,
  ipPool,
  lbService,
} from "../../test/fixtures/kubernetes-objects.ts";
import { formatPath } from "../manifests/finding.ts";
import { readObject } from "../manifests/read-object.ts";
import { nodePlan } from "./node-plan.ts";
import { plan } from "./plan.ts";

const ALGORITHM = "service.cilium.io/lb-algorithm";
const WEIGHT = "service.cilium.io/weight";

function weighted(weight: string, name: string, address: string) {
  const slice = endpointSlice("a", [{ address }], undefined, name);
  return { ...slice, metadata: { ...slice.metadata, annotations: { [WEIGHT]: weight } } };
}

/** What the node forwards for the Service `a`. */
function vipOf(service: object, ...others: readonly object[]) {
  const intent = intentOf(clusterNode("n1", "10.0.0.1"), ipPool("p", ["10.9.0.0/24"]), service, ...others);
  return nodePlan(intent, plan(intent), "n1").forwarding.vips[0]!;
}

const complaints = (object: object) =>
  readObject(object).findings.map(({ path, message }) => `${formatPath(path)}: ${message}`);

describe("the way to balance", () => {
  test("is Maglev, unless the cluster's or the Service's own choice is another", () => {
    expect(vipOf(lbService("a")).balancing).toBe("maglev");
    expect(vipOf(lbService("a"), ciliumConfig({ "bpf-lb-algorithm": "random" })).balancing).toBe("random");
    const own = lbService("a", { annotations: { [ALGORITHM]: "least-connections" } });
    expect(vipOf(own, ciliumConfig({ "bpf-lb-algorithm": "random" })).balancing).toBe("least-connections");
  });

  test("that nobody knows counts as none, and the field is named", () => {
    const odd = lbService("a", { annotations: { [ALGORITHM]: "roulette" } });
    expect(vipOf(odd).balancing).toBe("maglev");
    expect(complaints(odd)).toEqual([
      `metadata.annotations["${ALGORITHM}"]: must be one of maglev, random, least-connections; "roulette" counts as not given`,
    ]);
  });
});

describe("the weight of a slice", () => {
  test("is that of all its backends, and 1 where it has none", () => {
    const { backends } = vipOf(
      lbService("a"),
      weighted("5", "s1", "10.1.0.1"),
      weighted("0", "s2", "10.1.0.2"),
      endpointSlice("a", [{ address: "10.1.0.3" }], undefined, "s3"),
    );
    expect(backends.map(({ weight }) => weight)).toEqual([5, 0, 1]);
  });

  test.each(["-1", "1.5", "65536", "much"])("%s is no weight, and the field is named", (text) => {
    const [message] = complaints(weighted(text, "s1", "10.1.0.1"));
    expect(message).toContain(`metadata.annotations["${WEIGHT}"]: must be a number from 0 to 65535`);
    expect(vipOf(lbService("a"), weighted(text, "s1", "10.1.0.1")).backends[0]!.weight).toBe(1);
  });
});

describe("sessionAffinity: ClientIP", () => {
  test("lasts three hours, or as long as the Service says", () => {
    const affine = (config: object) => lbService("a", { spec: { sessionAffinity: "ClientIP", ...config } });
    expect(vipOf(affine({}))).toMatchObject({ affinity: true, affinitySeconds: 10_800 });
    const minute = affine({ sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } });
    expect(vipOf(minute)).toMatchObject({ affinity: true, affinitySeconds: 60 });
    expect(vipOf(lbService("a")).affinity).toBe(false);
  });
});
