/** Neighbours whose address is found out on the node: what the objects of both dialects give the speaker to do. */
import { expect, test } from "vitest";
import { clusterNode, intentOf } from "../../test/fixtures/kubernetes-objects.ts";
import type { SpeakerSpec } from "../bgp/speaker-spec.ts";
import { nodePlan } from "./node-plan.ts";
import { plan } from "./plan.ts";

const BGP_ON = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "cilium-config", namespace: "kube-system" },
  data: { "enable-bgp-control-plane": "true" },
};

function speakerOf(...objects: object[]): SpeakerSpec {
  const intent = intentOf(clusterNode("n1", "10.0.0.1"), BGP_ON, ...objects);
  return nodePlan(intent, plan(intent), "n1").bgp;
}

const cilium = (peer: object) => ({
  apiVersion: "cilium.io/v2",
  kind: "CiliumBGPClusterConfig",
  metadata: { name: "rack" },
  spec: { bgpInstances: [{ name: "i", localASN: 65000, peers: [{ name: "tor", peerASN: 65001, ...peer }] }] },
});

test("Cilium's autoDiscovery of the default gateway is the speaker's", () => {
  const autoDiscovery = { mode: "DefaultGateway", defaultGateway: { addressFamily: "ipv4" } };
  expect(speakerOf(cilium({ autoDiscovery })).instances[0]!.peers[0]).toMatchObject({
    name: "tor",
    address: "",
    discovery: { kind: "default-gateway", family: "ipv4" },
  });
});

test("Cilium's unnumbered peers offer IPv4 routes with IPv6 next hops", () => {
  const autoDiscovery = { mode: "Unnumbered", unnumbered: { interface: "eth0" } };
  expect(speakerOf(cilium({ autoDiscovery })).instances[0]!.peers[0]).toMatchObject({
    discovery: { kind: "unnumbered", interfaceName: "eth0" },
    extendedNextHop: true,
  });
});

test("MetalLB's peers on an interface are unnumbered, and their routes have us as the next hop", () => {
  const metadata = (name: string) => ({ name, namespace: "metallb-system" });
  const { instances } = speakerOf(
    {
      apiVersion: "metallb.io/v1beta2",
      kind: "BGPPeer",
      metadata: metadata("tor"),
      spec: { myASN: 65000, peerASN: 65001, interface: "eth0" },
    },
    {
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      metadata: metadata("pool"),
      spec: { addresses: ["192.0.2.0/24"] },
    },
    { apiVersion: "metallb.io/v1beta1", kind: "BGPAdvertisement", metadata: metadata("all"), spec: {} },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", namespace: "default" },
      spec: { type: "LoadBalancer", selector: { app: "web" }, ports: [{ port: 80 }] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "web-1", namespace: "default", labels: { "kubernetes.io/service-name": "web" } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["10.2.0.5"], conditions: { ready: true }, nodeName: "n1" }],
      ports: [{ port: 8080 }],
    },
  );
  expect(instances[0]!.peers[0]).toMatchObject({
    discovery: { kind: "unnumbered", interfaceName: "eth0" },
    families: [{ afi: "ipv4" }, { afi: "ipv6" }],
    extendedNextHop: true,
    routes: [{ prefix: "192.0.2.0/32", nextHop: "self" }],
  });
});
