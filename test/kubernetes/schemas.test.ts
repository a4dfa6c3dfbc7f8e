/** One set of rules: what the API server refuses, `sluice plan` refuses, and the other way round; and installing them. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readObject } from "../../src/manifests/read-object.ts";
import { ipPool, peeringPolicy } from "../fixtures/kubernetes-objects.ts";
import { ApiServer } from "./fixtures/api-server.ts";

let server: ApiServer;

beforeAll(async () => {
  server = await ApiServer.start();
});
afterAll(() => server?.close());

const cilium = (kind: string, spec: object, apiVersion = "cilium.io/v2") => ({
  apiVersion,
  kind,
  metadata: { name: "x" },
  spec,
});
const metallb = (kind: string, spec: object, apiVersion = "metallb.io/v1beta1") => ({
  apiVersion,
  kind,
  metadata: { name: "x", namespace: "sluice-system" },
  spec,
});
const peer = (fields: object) => ({
  bgpInstances: [{ name: "i", localASN: 65001, peers: [{ name: "p", peerAddress: "10.0.0.1", ...fields }] }],
});
const advertisement = (fields: object) => cilium("CiliumBGPAdvertisement", { advertisements: [fields] });

describe.each([
  [
    "an AS number out of range",
    cilium("CiliumBGPClusterConfig", { bgpInstances: [{ name: "i", localASN: 4294967296 }] }),
  ],
  ["no instance", cilium("CiliumBGPClusterConfig", { bgpInstances: [] })],
  [
    "discovery without its gateway",
    cilium("CiliumBGPClusterConfig", {
      bgpInstances: [{ name: "i", localASN: 1, peers: [{ name: "p", autoDiscovery: { mode: "DefaultGateway" } }] }],
    }),
  ],
  ["neither address nor discovery", cilium("CiliumBGPNodeConfig", peer({ peerAddress: undefined }))],
  ["a hold time below 3", cilium("CiliumBGPPeerConfig", { timers: { holdTimeSeconds: 2, keepAliveTimeSeconds: 1 } })],
  ["a keepalive beyond the hold time", cilium("CiliumBGPPeerConfig", { timers: { holdTimeSeconds: 9 } })],
  ["a Service advertisement without addresses", advertisement({ advertisementType: "Service" })],
  [
    "an aggregate as long as an address",
    advertisement({
      advertisementType: "Service",
      service: { addresses: ["LoadBalancerIP"], aggregationLengthIPv4: 32 },
    }),
  ],
  [
    "a community that is none",
    advertisement({
      advertisementType: "PodCIDR",
      attributes: { communities: { standard: ["65000:1:2"] } },
    }),
  ],
  [
    "a block that is CIDR and range",
    ipPool("x", [], { spec: { blocks: [{ cidr: "10.0.0.0/24", start: "10.0.0.1" }] } }),
  ],
  ["a policy without neighbors", peeringPolicy("x", { neighbors: [] })],
  ["a pool without addresses", metallb("IPAddressPool", { addresses: [] })],
  [
    "a peer port out of range",
    metallb("BGPPeer", { myASN: 1, peerASN: 2, peerAddress: "10.0.0.1", peerPort: 20000 }, "metallb.io/v1beta2"),
  ],
  [
    "two passwords",
    metallb(
      "BGPPeer",
      {
        myASN: 1,
        peerASN: 2,
        peerAddress: "10.0.0.1",
        password: "a",
        passwordSecret: { name: "b" },
      },
      "metallb.io/v1beta2",
    ),
  ],
  ["an aggregate of length 33", metallb("BGPAdvertisement", { aggregationLength: 33 })],
])("%s", (_what, object) => {
  test("is refused by the API server", () => {
    expect(server.refusal("apply", "-f", server.file(object))).toContain("is invalid");
  });
  test("is refused in a file", () => {
    expect(readObject(object).findings.filter(({ severity }) => severity === "error")).not.toEqual([]);
  });
});

test.each([
  cilium("CiliumBGPClusterConfig", peer({})),
  cilium("CiliumBGPClusterConfig", peer({}), "cilium.io/v2alpha1"),
  cilium("CiliumBGPPeerConfig", {
    families: [{ afi: "ipv4", safi: "unicast", advertisements: { matchLabels: { a: "b" } } }],
  }),
  advertisement({ advertisementType: "Service", service: { addresses: ["ClusterIP"] }, selector: {} }),
  ipPool("x", ["10.0.0.0/24"]),
  { ...peeringPolicy("x", {}), kind: "BGPPeeringPolicy" },
  metallb("IPAddressPool", { addresses: ["10.0.0.1-10.0.0.9", "2001:db8::/64"] }),
  metallb("BGPAdvertisement", {}),
  metallb("BFDProfile", {}),
  metallb("Community", { communities: [{ name: "a", value: "65000:1" }] }),
])("what is right is taken by both: $apiVersion $kind", (object) => {
  expect(server.refusal("apply", "-f", server.file(object))).toBe("");
  expect(readObject(object).findings.filter(({ severity }) => severity === "error")).toEqual([]);
});

test("definitions that are there already are left as they are", () => {
  const crd = "ciliumbgppeerconfigs.cilium.io";
  const before = server.kubectl("get", "crd", crd, "-o", "jsonpath={.metadata.resourceVersion}");
  const said = server.refusal("create", "-f", join(import.meta.dirname, "../../deploy/crds"));
  expect(said).toContain("already exists");
  expect(server.kubectl("get", "crd", crd, "-o", "jsonpath={.metadata.resourceVersion}")).toBe(before);
});
