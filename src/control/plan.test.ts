import { describe, expect, test } from "vitest";
import {
  ciliumConfig,
  clusterNode,
  type EndpointParts,
  endpointSlice,
  intentOf,
  ipPool,
  lbService,
  peeringPolicy,
} from "../../test/fixtures/kubernetes-objects.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { withHeldAddresses } from "./held-addresses.ts";
import { nodePlan } from "./node-plan.ts";
import { plan } from "./plan.ts";

const N1 = clusterNode("n1", "10.1.1.1", { podCIDRs: ["10.2.1.0/24"], labels: { rack: "r0" } });
const N2 = clusterNode("n2", "10.1.1.2", { podCIDRs: ["10.2.2.0/24"], labels: { rack: "r1" } });
const POOL = ipPool("p", ["20.0.0.0/24"]);
const ANNOUNCE = { serviceSelector: { matchLabels: { bgp: "yes" } } };
const LOCAL = { labels: { bgp: "yes" }, spec: { externalTrafficPolicy: "Local" } };
const CLUSTER = { labels: { bgp: "yes" } };

function prefixes(node: string, ...objects: readonly object[]): string[] {
  return plan(intentOf(...objects)).nodes[node]!.bgp.flatMap(({ peers }) =>
    peers.flatMap(({ routes }) => routes.map(({ prefix }) => prefix)),
  );
}

function backends(node: string, ...objects: readonly object[]): string[] {
  const intent = intentOf(...objects);
  return nodePlan(intent, plan(intent), node).forwarding.vips.flatMap((vip) =>
    vip.backends.map(
      ({ address, port, draining }) =>
        `${formatIpAddress(vip.address)}:${vip.port} -> ${formatIpAddress(address)}:${port}${draining ? " draining" : ""}`,
    ),
  );
}

const at = (
  node: string | undefined,
  conditions?: object,
  address = `10.2.1.${node === "n2" ? 2 : 1}`,
): EndpointParts => ({
  address,
  ...(node === undefined ? {} : { node }),
  ...(conditions === undefined ? {} : { conditions }),
});

describe("the route of a Service", () => {
  const base = [N1, N2, POOL, peeringPolicy("policy", ANNOUNCE)];

  test("leaves from every node under the Cluster policy, also with no backend at all", () => {
    expect(prefixes("n1", ...base, lbService("a", CLUSTER))).toEqual(["20.0.0.0/32"]);
    expect(prefixes("n2", ...base, lbService("a", CLUSTER))).toEqual(["20.0.0.0/32"]);
  });

  test("with no backend at all is held back where the configuration says so", () => {
    const config = ciliumConfig({
      "enable-bgp-control-plane": "true",
      "enable-no-service-endpoints-routable": "false",
    });
    expect(prefixes("n1", config, ...base, lbService("a", CLUSTER))).toEqual([]);
    expect(prefixes("n1", config, ...base, lbService("a", CLUSTER), endpointSlice("a", [at("n2")]))).toEqual([
      "20.0.0.0/32",
    ]);
  });

  test("leaves only from nodes with a ready backend under the Local policy", () => {
    const objects = [...base, lbService("a", LOCAL), endpointSlice("a", [at("n1")])];
    expect(prefixes("n1", ...objects)).toEqual(["20.0.0.0/32"]);
    expect(prefixes("n2", ...objects)).toEqual([]);
    expect(plan(intentOf(...objects)).services["default/a"]).toMatchObject({
      eligibleNodes: ["n1"],
      notEligible: { n2: "no ready endpoint on this node (externalTrafficPolicy: Local)" },
    });
  });

  test.each([
    ["not ready", { ready: false }],
    ["on its way out", { ready: false, serving: true, terminating: true }],
  ])("is withdrawn under the Local policy when the only backend is %s", (_what, conditions) => {
    expect(prefixes("n1", ...base, lbService("a", LOCAL), endpointSlice("a", [at("n1", conditions)]))).toEqual([]);
  });

  test("leaves from every node when its backend has no node of its own", () => {
    const objects = [...base, lbService("a", LOCAL), endpointSlice("a", [at(undefined)])];
    expect(plan(intentOf(...objects)).services["default/a"]!.eligibleNodes).toEqual(["n1", "n2"]);
  });

  test("needs the selector to match; no selector and an empty one match nothing", () => {
    expect(prefixes("n1", ...base, lbService("a"))).toEqual([]);
    for (const serviceSelector of [undefined, {}]) {
      expect(prefixes("n1", N1, POOL, peeringPolicy("policy", { serviceSelector }), lbService("a", CLUSTER))).toEqual(
        [],
      );
    }
  });

  test("does not leave for the class of another announcer", () => {
    const spec = { loadBalancerClass: "io.cilium/l2-announcer" };
    expect(prefixes("n1", ...base, lbService("a", { ...CLUSTER, spec }))).toEqual([]);
    expect(
      prefixes(
        "n1",
        ...base,
        lbService("a", { ...CLUSTER, spec: { loadBalancerClass: "io.cilium/bgp-control-plane" } }),
      ),
    ).toEqual(["20.0.0.0/32"]);
  });

  test("does not leave from a node that is excluded from load balancers", () => {
    const excluded = clusterNode("n1", "10.1.1.1", {
      labels: { "node.kubernetes.io/exclude-from-external-load-balancers": "" },
    });
    expect(prefixes("n1", excluded, POOL, peeringPolicy("policy", ANNOUNCE), lbService("a", CLUSTER))).toEqual([]);
  });

  test("is one for several Services that share the address", () => {
    const share = { annotations: { "lbipam.cilium.io/sharing-key": "k" }, ...CLUSTER };
    expect(
      prefixes("n1", ...base, lbService("a", { ...share, port: 80 }), lbService("b", { ...share, port: 81 })),
    ).toEqual(["20.0.0.0/32"]);
  });
});

describe("the sessions of a node", () => {
  test("are those of the policy that selects it", () => {
    const selected = { nodeSelector: { matchLabels: { rack: "r0" } } };
    const { nodes, problems } = plan(intentOf(N1, N2, peeringPolicy("policy", {}, selected)));
    expect(nodes["n1"]!.bgp).toMatchObject([{ localASN: 65000, routerID: "10.1.1.1", listen: null }]);
    expect(nodes["n2"]!.bgp).toEqual([]);
    expect(problems).toEqual([]);
  });

  test("are none when two policies select it, and the node says so", () => {
    const { nodes } = plan(intentOf(N1, peeringPolicy("one", {}), peeringPolicy("two", {})));
    expect(nodes["n1"]).toEqual({
      bgp: [],
      l2: [],
      conditions: [
        {
          type: "sluice.dev/BGPReady",
          status: "False",
          reason: "PolicyConflict",
          message:
            "BGP is off on this node: CiliumBGPPeeringPolicy/one and CiliumBGPPeeringPolicy/two select it, " +
            "and only one may; narrow spec.nodeSelector",
        },
      ],
    });
  });

  test("are none while BGP is switched off", () => {
    const config = ciliumConfig({ "enable-bgp-control-plane": "false" });
    const { nodes, problems } = plan(intentOf(config, N1, peeringPolicy("policy", {})));
    expect(nodes["n1"]!.bgp).toEqual([]);
    expect(problems.map(({ object, field }) => `${object} ${field}`)).toEqual([
      "ConfigMap/kube-system/cilium-config data.enable-bgp-control-plane",
    ]);
  });

  test("take router id and port from the annotation of the node", () => {
    const annotations = { "cilium.io/bgp-virtual-router.65000": "router-id=192.0.2.9,local-port=1790" };
    const { nodes } = plan(intentOf(clusterNode("n1", "10.1.1.1", { annotations }), peeringPolicy("policy", {})));
    expect(nodes["n1"]!.bgp).toMatchObject([{ routerID: "192.0.2.9", listen: 1790 }]);
  });

  test("announce the pod CIDRs where the policy exports them", () => {
    expect(prefixes("n1", N1, peeringPolicy("policy", { exportPodCIDR: true }))).toEqual(["10.2.1.0/24"]);
  });

  test("carry local preference and no path inside one AS, and the other way round between two", () => {
    const advertisedPathAttributes = [
      { selectorType: "CiliumLoadBalancerIPPool", localPreference: 200, communities: { standard: ["65000:1"] } },
      { selectorType: "CiliumLoadBalancerIPPool", localPreference: 150, communities: { wellKnown: ["no-export"] } },
      { selectorType: "PodCIDR", localPreference: 999 },
    ];
    const route = (peerASN: number) => {
      const neighbors = [{ peerAddress: "10.0.0.1", peerASN, advertisedPathAttributes }];
      const objects = [N1, POOL, peeringPolicy("policy", { ...ANNOUNCE, neighbors }), lbService("a", CLUSTER)];
      return plan(intentOf(...objects)).nodes["n1"]!.bgp[0]!.peers[0]!.routes[0];
    };
    expect(route(65000)).toMatchObject({
      asPath: [],
      localPreference: 200,
      communities: ["65000:1", "65535:65281"],
      nextHop: "10.1.1.1",
    });
    expect(route(65001)).toMatchObject({ asPath: [65000], localPreference: null });
  });

  test("use the password of their Secret, which the plan does not show", () => {
    const neighbors = [{ peerAddress: "10.0.0.1", peerASN: 65001, authSecretRef: "bgp-key" }];
    const policy = peeringPolicy("policy", { neighbors });
    const secret = (namespace: string, more: object) => ({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "bgp-key", namespace },
      ...more,
    });
    const password = (...objects: readonly object[]) => {
      const intent = intentOf(N1, policy, ...objects);
      const planned = plan(intent);
      expect(JSON.stringify(planned)).not.toContain("s3cret");
      const [instance] = nodePlan(intent, planned, "n1").bgp.instances;
      return [instance!.peers[0]!.password, ...planned.problems.map(({ message }) => message)];
    };
    expect(password(secret("kube-system", { stringData: { password: "s3cret" } }))).toEqual(["s3cret"]);
    expect(password(secret("kube-system", { data: { password: btoa("s3cret") } }))).toEqual(["s3cret"]);
    const elsewhere = secret("default", { stringData: { password: "s3cret" } });
    expect(password(elsewhere)).toEqual([
      null,
      'there is no Secret kube-system/bgp-key with the key "password"; the session is tried without one',
    ]);
    expect(
      password(ciliumConfig({ "enable-bgp-control-plane": "true", "bgp-secrets-namespace": "default" }), elsewhere),
    ).toEqual(["s3cret"]);
  });

  test("carry no IPv4 route where the family is not configured", () => {
    const neighbors = [{ peerAddress: "10.0.0.1", peerASN: 65001, families: [{ afi: "ipv6", safi: "unicast" }] }];
    expect(
      prefixes("n1", N1, POOL, peeringPolicy("policy", { ...ANNOUNCE, neighbors }), lbService("a", CLUSTER)),
    ).toEqual([]);
  });
});

describe("what a node forwards to", () => {
  test("is every ready backend under the Cluster policy", () => {
    expect(backends("n1", N1, N2, POOL, lbService("a"), endpointSlice("a", [at("n1"), at("n2")]))).toEqual([
      "20.0.0.0:80 -> 10.2.1.1:80",
      "20.0.0.0:80 -> 10.2.1.2:80",
    ]);
  });

  test("is its own backends under the Local policy, and those without a node", () => {
    const endpoints = [at("n1"), at("n2"), at(undefined, undefined, "10.2.1.9")];
    expect(backends("n1", N1, N2, POOL, lbService("a", LOCAL), endpointSlice("a", endpoints))).toEqual([
      "20.0.0.0:80 -> 10.2.1.1:80",
      "20.0.0.0:80 -> 10.2.1.9:80",
    ]);
  });

  test("keeps the flows of backends that take no new ones", () => {
    const endpoints = [at("n1"), at("n2", { ready: false, serving: true, terminating: true })];
    expect(backends("n1", N1, N2, POOL, lbService("a"), endpointSlice("a", endpoints))).toEqual([
      "20.0.0.0:80 -> 10.2.1.1:80",
      "20.0.0.0:80 -> 10.2.1.2:80 draining",
    ]);
  });

  test("falls back to backends on their way out when nothing is ready", () => {
    const endpoints = [at("n1", { ready: false }), at("n2", { ready: false, serving: true, terminating: true })];
    expect(backends("n1", N1, N2, POOL, lbService("a"), endpointSlice("a", endpoints))).toEqual([
      "20.0.0.0:80 -> 10.2.1.1:80 draining",
      "20.0.0.0:80 -> 10.2.1.2:80",
    ]);
  });

  test("is known on nodes that do not announce: what arrives there must not go round in a circle", () => {
    const intent = intentOf(N1, N2, POOL, lbService("a", LOCAL), endpointSlice("a", [at("n1")]));
    const { forwarding } = nodePlan(intent, plan(intent), "n2");
    expect(forwarding.owned.map(({ address }) => formatIpAddress(address))).toEqual(["20.0.0.0"]);
    expect(forwarding.vips.map(({ backends }) => backends)).toEqual([[]]);
  });

  test("leaves Services of other controllers alone", () => {
    const spec = { loadBalancerClass: "other.example/lb" };
    const intent = intentOf(N1, POOL, lbService("a", { spec, held: ["192.0.2.1"] }));
    expect(nodePlan(intent, plan(intent), "n1").forwarding).toMatchObject({ vips: [], owned: [] });
  });

  test("serves one port of one address for one Service, and names the other", () => {
    const both = [lbService("a", { held: ["192.0.2.1"] }), lbService("b", { held: ["192.0.2.1"] })];
    const intent = intentOf(N1, ...both);
    expect(nodePlan(intent, plan(intent), "n1").forwarding.vips.map(({ service }) => service)).toEqual(["default/a"]);
    expect(plan(intent).problems.map(({ object }) => object)).toEqual(["Service/default/b"]);
  });
});

describe("a plan", () => {
  test("names backends on nodes that nobody described", () => {
    const objects = [N1, POOL, lbService("a", LOCAL), endpointSlice("a", [at("NODE_10_1_1_2")])];
    expect(plan(intentOf(...objects)).problems.map(({ message }) => message)).toEqual([
      "its backend 10.2.1.1 is on node NODE_10_1_1_2, of which there is no Node object; it counts as local on no node",
    ]);
  });

  test("gives no address any more when the last pool is gone", () => {
    const before = plan(intentOf(POOL, lbService("a")));
    const after = plan(withHeldAddresses(intentOf(lbService("a")), before.services));
    expect(after.services["default/a"]).toMatchObject({ ingress: [], conditions: [{ reason: "no_pool" }] });
  });

  test("keeps the addresses of the plan before it, whoever leaves", () => {
    const before = plan(intentOf(POOL, lbService("a"), lbService("b")));
    const after = plan(withHeldAddresses(intentOf(POOL, lbService("b")), before.services));
    expect(after.services["default/b"]!.ingress).toEqual(["20.0.0.1"]);
  });
});

test("an external address that is a node's or a pod's is not served", () => {
  const spec = { externalIPs: ["10.1.1.1", "10.2.1.9", "192.0.2.9"] };
  const advertise = {
    serviceSelector: { matchLabels: { bgp: "yes" } },
    serviceAdvertisements: ["LoadBalancerIP", "ExternalIP"],
  };
  const intent = intentOf(
    ciliumConfig({ "enable-bgp-control-plane": "true" }),
    N1,
    peeringPolicy("bgp", advertise),
    POOL,
    lbService("a", { labels: { bgp: "yes" }, spec }),
  );
  const { owned } = nodePlan(intent, plan(intent), "n1").forwarding;
  expect(owned.map(({ address }) => formatIpAddress(address))).toEqual(["20.0.0.0", "192.0.2.9"]);
});
