import { describe, expect, test } from "vitest";
import {
  ciliumConfig,
  clusterNode,
  endpointSlice,
  intentOf,
  ipAddressPool,
  ipPool,
  lbService,
  peeringPolicy,
} from "../../test/fixtures/kubernetes-objects.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { explainService } from "./explain-service.ts";
import { nodePlan } from "./node-plan.ts";
import { plan } from "./plan.ts";

const RACK0 = { labels: { rack: "rack0" }, annotations: { "sluice.dev/interfaces": "net0,eth1" } };
const N1 = clusterNode("n1", "10.1.1.1", RACK0);
const N2 = clusterNode("n2", "10.1.1.2", RACK0);
const N3 = clusterNode("n3", "10.1.1.3", { annotations: { "sluice.dev/interfaces": "net0" } });
const POOL = ipPool("pool", ["10.0.5.100-10.0.5.200"]);
const LOCAL = { spec: { externalTrafficPolicy: "Local" } };

function l2Policy(spec: object, name = "l2") {
  return {
    apiVersion: "cilium.io/v2alpha1",
    kind: "CiliumL2AnnouncementPolicy",
    metadata: { name },
    spec: { loadBalancerIPs: true, ...spec },
  };
}

function l2Advertisement(spec: object, name = "l2") {
  const metadata = { name, namespace: "metallb-system" };
  return { apiVersion: "metallb.io/v1beta1", kind: "L2Advertisement", metadata, spec };
}

/** `node: address on interfaces`, the owner's with a star. */
function links(...objects: readonly object[]): string[] {
  const { nodes } = plan(intentOf(...objects));
  return Object.entries(nodes).flatMap(([node, { l2 }]) =>
    l2.map(({ address, interfaces, owner }) => `${node}${owner ? "*" : ""}: ${address} on ${interfaces.join()}`),
  );
}

function problems(...objects: readonly object[]): string[] {
  return plan(intentOf(...objects)).problems.map(({ object, field, message }) => `${object} ${field} ${message}`);
}

describe("an L2 policy of Cilium's", () => {
  test("has one owner for an address among the nodes that it selects, on the interfaces that fit", () => {
    const policy = l2Policy({ nodeSelector: { matchLabels: { rack: "rack0" } }, interfaces: ["^net0$"] });
    const found = links(N1, N2, N3, POOL, lbService("a"), policy);
    expect(found.map((text) => text.replace("*", ""))).toEqual(["n1: 10.0.5.100 on net0", "n2: 10.0.5.100 on net0"]);
    expect(found.filter((text) => text.includes("*"))).toHaveLength(1);
  });

  test("announces nothing while neither kind of address is switched on, and says so", () => {
    expect(links(N1, POOL, lbService("a"), l2Policy({ loadBalancerIPs: false }))).toEqual([]);
  });

  test("announces external addresses, also of a Service that wants no load balancer", () => {
    const service = lbService("a", { spec: { type: "ClusterIP", externalIPs: ["192.0.2.7"] } });
    expect(links(N3, service, l2Policy({ externalIPs: true }))).toEqual(["n3*: 192.0.2.7 on net0"]);
  });

  test("is for its own class and for none, and for Services by their reserved labels", () => {
    const byName = l2Policy({ serviceSelector: { matchLabels: { "io.kubernetes.service.name": "a" } } });
    const own = { spec: { loadBalancerClass: "io.cilium/l2-announcer" } };
    const bgp = { spec: { loadBalancerClass: "io.cilium/bgp-control-plane" } };
    expect(links(N3, POOL, lbService("a", own), lbService("b"), byName)).toHaveLength(1);
    expect(links(N3, POOL, lbService("a", bgp), byName)).toEqual([]);
  });

  test("leaves the Local policy to nodes with an endpoint, and to all where one has no node", () => {
    const remote = endpointSlice("a", [{ address: "10.2.2.1", node: "n2" }]);
    const placeless = endpointSlice("a", [{ address: "10.2.2.1" }]);
    expect(links(N1, N2, POOL, lbService("a", LOCAL), remote, l2Policy({}))).toEqual(["n2*: 10.0.5.100 on eth1,net0"]);
    expect(links(N1, N2, POOL, lbService("a", LOCAL), placeless, l2Policy({}))).toHaveLength(2);
  });

  test("spares nodes that may attract nothing", () => {
    const labels = { "node.kubernetes.io/exclude-from-external-load-balancers": "" };
    expect(links(clusterNode("n1", "10.1.1.1", { labels }), POOL, lbService("a"), l2Policy({}))).toEqual([]);
  });

  test("adds its interfaces to those of another that selects the same", () => {
    const both = [l2Policy({ interfaces: ["^net"] }, "one"), l2Policy({ interfaces: ["^eth"] }, "two")];
    expect(links(N1, POOL, lbService("a"), ...both)).toEqual(["n1*: 10.0.5.100 on eth1,net0"]);
  });

  test("takes a node whose interfaces nobody told for one that has them", () => {
    const node = clusterNode("n1", "10.1.1.1");
    expect(links(node, POOL, lbService("a"), l2Policy({ interfaces: ["^net0$"] }))).toEqual(["n1*: 10.0.5.100 on "]);
  });

  test("has no effect with an expression that Go has not, and says so in a condition", () => {
    const policy = l2Policy({ interfaces: ["^net(?=0)"] });
    const { objects, l2Owners } = plan(intentOf(N1, POOL, lbService("a"), policy));
    expect(l2Owners).toEqual({});
    expect(objects["CiliumL2AnnouncementPolicy/l2"]!.conditions).toContainEqual({
      type: "io.cilium/bad-interface-regex",
      status: "True",
      reason: "error",
      message: expect.stringContaining("spec.interfaces[0]: error parsing regexp"),
    });
  });

  test("follows the switch of the ConfigMap, which is off where it says nothing", () => {
    const off = ciliumConfig({});
    expect(links(N1, POOL, lbService("a"), l2Policy({}), off)).toEqual([]);
    expect(problems(N1, POOL, lbService("a"), l2Policy({}), off)).toEqual([
      expect.stringContaining("data.enable-l2-announcements"),
    ]);
    expect(
      links(N1, POOL, lbService("a"), l2Policy({}), ciliumConfig({ "enable-l2-announcements": "true" })),
    ).toHaveLength(1);
  });

  test("that selects no node, or none with such an interface, is a problem", () => {
    const elsewhere = l2Policy({ nodeSelector: { matchLabels: { rack: "rack9" } } });
    expect(problems(N1, POOL, lbService("a"), elsewhere)).toEqual([expect.stringContaining("selects no node")]);
    expect(problems(N1, POOL, lbService("a"), l2Policy({ interfaces: ["^wlan"] }))).toEqual([
      expect.stringContaining("fits no interface"),
    ]);
  });
});

describe("an external address", () => {
  const service = (address: string) => lbService("a", { spec: { type: "ClusterIP", externalIPs: [address] } });
  const owned = (...objects: readonly object[]) => {
    const intent = intentOf(N1, ...objects);
    return nodePlan(intent, plan(intent), "n1").forwarding.owned.map(({ address }) => formatIpAddress(address));
  };

  test("is served where it is announced, and left to others where it is not", () => {
    expect(owned(service("192.0.2.7"), l2Policy({ externalIPs: true }))).toEqual(["192.0.2.7"]);
    expect(owned(service("192.0.2.7"), l2Policy({}))).toEqual([]);
    expect(
      owned(
        service("192.0.2.7"),
        peeringPolicy("p", {
          serviceSelector: { matchExpressions: [{ key: "x", operator: "DoesNotExist" }] },
          serviceAdvertisements: ["ExternalIP"],
        }),
      ),
    ).toEqual(["192.0.2.7"]);
  });

  test("that is a node's own is never served: the node would be cut off", () => {
    expect(owned(service("10.1.1.1"), l2Policy({ externalIPs: true }))).toEqual([]);
  });
});

describe("an L2Advertisement of MetalLB's", () => {
  const ready = (service: string, node: string) => endpointSlice(service, [{ address: "10.2.2.1", node }]);

  test("is for the pools that it names or selects, and for all without any", () => {
    const pools = [
      ipAddressPool("one", ["10.0.5.1/32"]),
      ipAddressPool("two", ["10.0.6.1/32"], { labels: { net: "x" } }),
    ];
    const services = [lbService("a"), lbService("b"), ready("a", "n3"), ready("b", "n3")];
    const owned = (spec: object) =>
      Object.keys(plan(intentOf(N3, ...pools, ...services, l2Advertisement(spec))).l2Owners);
    expect(owned({})).toEqual(["10.0.5.1", "10.0.6.1"]);
    expect(owned({ ipAddressPools: ["one"] })).toEqual(["10.0.5.1"]);
    expect(owned({ ipAddressPoolSelectors: [{ matchLabels: { net: "x" } }] })).toEqual(["10.0.6.1"]);
  });

  test("does not announce the addresses of Cilium's pools", () => {
    expect(links(N3, POOL, lbService("a"), ready("a", "n3"), l2Advertisement({}))).toEqual([]);
  });

  test("names interfaces in full", () => {
    const objects = [N1, ipAddressPool("one", ["10.0.5.1/32"]), lbService("a"), ready("a", "n1")];
    expect(links(...objects, l2Advertisement({ interfaces: ["net"] }))).toEqual([]);
    expect(links(...objects, l2Advertisement({ interfaces: ["net0"] }))).toEqual(["n1*: 10.0.5.1 on net0"]);
  });

  test("prefers the nodes with the larger sum of weights", () => {
    const objects = [
      N1,
      N2,
      N3,
      ipAddressPool("one", ["10.0.5.0/28"]),
      ...["a", "b", "c"].flatMap((name) => [lbService(name), ready(name, "n1")]),
    ];
    const preferredNodeSelectors = [
      { weight: 10, preference: { matchExpressions: [{ key: "rack", operator: "Exists" }] } },
      { weight: 20, preference: { matchExpressions: [{ key: "rack", operator: "DoesNotExist" }] } },
    ];
    const { l2Owners } = plan(intentOf(...objects, l2Advertisement({ preferredNodeSelectors })));
    expect(new Set(Object.values(l2Owners))).toEqual(new Set(["n3"]));
  });

  test("withdraws an address without a usable endpoint", () => {
    expect(links(N1, ipAddressPool("one", ["10.0.5.1/32"]), lbService("a"), l2Advertisement({}))).toEqual([]);
  });

  test("needs no switch of Cilium's", () => {
    const objects = [N3, ipAddressPool("one", ["10.0.5.1/32"]), lbService("a"), ready("a", "n3"), l2Advertisement({})];
    expect(links(...objects, ciliumConfig({}))).toEqual(["n3*: 10.0.5.1 on net0"]);
  });
});

describe("an address of several Services", () => {
  const key = { "lbipam.cilium.io/sharing-key": "k" };
  const a = lbService("a", { annotations: key, held: ["10.0.5.100"] });
  const b = lbService("b", { annotations: key, held: ["10.0.5.100"], port: 81 });

  test("has one owner, which is told for each", () => {
    const { nodes, l2Owners } = plan(intentOf(N1, N2, POOL, a, b, l2Policy({})));
    const owner = l2Owners["10.0.5.100"]!;
    expect(nodes[owner]!.l2.map(({ service, owner }) => `${service} ${owner}`)).toEqual([
      "default/a true",
      "default/b true",
    ]);
  });

  test("of both families goes to one node with both", () => {
    const dual = lbService("c", { spec: { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" } });
    const pool = ipPool("dual", ["10.0.5.0/28", "2001:db8::/124"]);
    const { l2Owners } = plan(intentOf(N1, N2, N3, pool, dual, l2Policy({})));
    expect(Object.keys(l2Owners)).toHaveLength(2);
    expect(new Set(Object.values(l2Owners)).size).toBe(1);
  });
});

test("an explanation says who owns the address on a link, and why a node can't", () => {
  const policy = l2Policy({ nodeSelector: { matchLabels: { rack: "rack0" } } });
  const intent = intentOf(N1, N3, POOL, lbService("a"), policy);
  const { nodes } = explainService(intent, plan(intent), "default/a")!;
  expect(nodes["n1"]!.links).toEqual([
    { address: "10.0.5.100", interfaces: ["eth1", "net0"], owner: true, because: null },
  ]);
  expect(nodes["n3"]!.links).toEqual([
    {
      address: "10.0.5.100",
      interfaces: [],
      owner: false,
      because: "no policy for this Service selects the labels of the node",
    },
  ]);
});
