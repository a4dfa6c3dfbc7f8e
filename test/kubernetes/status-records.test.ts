/** What is written for people to read: Cilium's node configurations and conditions, MetalLB's records of sessions. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PeerStatus } from "../../src/bgp/speaker-spec.ts";
import { plan } from "../../src/control/plan.ts";
import { ClusterMember } from "../../src/kubernetes/cluster-member.ts";
import type { LoadedCluster } from "../../src/kubernetes/cluster-state.ts";
import { clusterNode, lbService } from "../fixtures/kubernetes-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";
import { QUICK_LEASE, silentLog } from "./fixtures/member.ts";

let server: ApiServer;
let member: ClusterMember;

const SESSION: PeerStatus = {
  localAsn: 65001,
  name: "tor",
  address: "10.0.0.254",
  asn: 65010,
  state: "Established",
  downSinceMilliseconds: null,
  establishedAtMilliseconds: Date.parse("2026-01-01T12:00:00Z"),
  holdTimeSeconds: 9,
  routesAdvertised: 2,
  routesReceived: 1,
  messagesSent: 5,
  messagesReceived: 5,
  timesEstablished: 1,
  lastError: null,
  hint: null,
  bfd: null,
};

beforeAll(async () => {
  server = await ApiServer.start();
  const { status, ...node } = clusterNode("n1", "10.0.0.1", { labels: { rack: "a" } });
  server.apply(node);
  server.setStatus("node", "n1", status);
  const options = { kubeconfig: server.kubeconfig, namespace: "sluice-system", identity: "n1", stateFile: null };
  const take = ({ intent }: LoadedCluster) =>
    member?.planned(plan(intent, { nodeName: "n1", givesAddresses: false }), intent.settings);
  member = new ClusterMember({ ...options, ipam: true, leaseTimes: QUICK_LEASE }, silentLog(), take, async () => [
    SESSION,
  ]);
});
afterAll(async () => {
  await member?.close();
  await server?.close();
});

interface WithConditions {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

function condition(type: string): string | undefined {
  const { status } = server.get<WithConditions>("cbgpcluster", "racks");
  return status?.conditions?.find((one) => one.type === `cilium.io/${type}`)?.status;
}

const CONFIG = {
  apiVersion: "cilium.io/v2",
  kind: "CiliumBGPClusterConfig",
  metadata: { name: "racks" },
  spec: {
    nodeSelector: { matchLabels: { rack: "none" } },
    bgpInstances: [
      {
        name: "tor",
        localASN: 65001,
        peers: [{ name: "tor", peerASN: 65010, peerAddress: "10.0.0.254", peerConfigRef: { name: "fast" } }],
      },
    ],
  },
};

test("a cluster configuration is told that it selects no node, and which configuration of its peers is missing", async () => {
  server.apply(CONFIG);
  await waitFor("the conditions", () => condition("NoMatchingNode") === "True");
  expect(condition("MissingPeerConfigs")).toBe("True");
  const timers = { holdTimeSeconds: 9, keepAliveTimeSeconds: 3 };
  server.apply({
    apiVersion: "cilium.io/v2",
    kind: "CiliumBGPPeerConfig",
    metadata: { name: "fast" },
    spec: { timers },
  });
  await waitFor("the peer configuration", () => condition("MissingPeerConfigs") === "False");
});

test("on a node that it selects, a node configuration shows what it means there and how its sessions are", async () => {
  server.apply({ ...CONFIG, spec: { ...CONFIG.spec, nodeSelector: { matchLabels: { rack: "a" } } } });
  server.apply({
    apiVersion: "cilium.io/v2",
    kind: "CiliumBGPNodeConfigOverride",
    metadata: { name: "n1" },
    spec: { bgpInstances: [{ name: "tor", routerID: "5.6.7.8" }] },
  });
  interface NodeConfig {
    readonly metadata: { readonly ownerReferences: readonly { readonly name: string }[] };
    readonly spec: { readonly bgpInstances: readonly object[] };
    readonly status?: { readonly bgpInstances: readonly { readonly peers: readonly object[] }[] };
  }
  const config = await waitFor("its status", () => {
    const found = server.get<NodeConfig>("cbgpnode", "n1");
    return found.status === undefined ? null : found;
  });
  expect(config.metadata.ownerReferences[0]!.name).toBe("racks");
  expect(config.status!.bgpInstances[0]!.peers).toEqual([
    {
      name: "tor",
      peerAddress: "10.0.0.254",
      peerASN: 65010,
      peeringState: "established",
      establishedTime: "2026-01-01T12:00:00Z",
      timers: { appliedHoldTimeSeconds: 9, appliedKeepaliveSeconds: 3 },
      routeCount: [{ afi: "ipv4", safi: "unicast", received: 1, advertised: 2 }],
    },
  ]);
  await waitFor("the override", () =>
    server.kubectl("get", "cbgpnode", "n1", "-o", "jsonpath={.spec.bgpInstances[0].routerID}").includes("5.6.7.8"),
  );
});

test("it goes with the cluster configuration that it was made from", async () => {
  server.kubectl("delete", "cbgpcluster", "racks");
  await waitFor("its end", () => server.kubectl("get", "cbgpnode").trim() === "");
});

test("MetalLB's record lists the sessions that a Service goes to, and goes with the Service", async () => {
  const metadata = (name: string) => ({ name, namespace: "sluice-system" });
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-x", namespace: "default", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ name: "", port: 80, protocol: "TCP" }],
    endpoints: [{ addresses: ["10.244.0.5"], nodeName: "n1", conditions: { ready: true } }],
  };
  server.apply(
    {
      apiVersion: "metallb.io/v1beta2",
      kind: "BGPPeer",
      metadata: metadata("peer1"),
      spec: { myASN: 100, peerASN: 200, peerAddress: "1.2.3.4" },
    },
    {
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      metadata: metadata("pool"),
      spec: { addresses: ["10.20.30.0/24"] },
    },
    { apiVersion: "metallb.io/v1beta1", kind: "BGPAdvertisement", metadata: metadata("all"), spec: {} },
    lbService("web"),
    slice,
  );
  const list = () =>
    JSON.parse(server.kubectl("get", "servicebgpstatus", "-n", "sluice-system", "-o", "json")) as {
      readonly items: readonly { readonly status?: object }[];
    };
  const status = await waitFor("the record", () => list().items[0]?.status, { timeoutSeconds: 20 });
  expect(status).toEqual({ node: "n1", serviceName: "web", serviceNamespace: "default", peers: ["peer1"] });
  server.kubectl("delete", "svc", "web");
  await waitFor("its end", () => list().items.length === 0, { timeoutSeconds: 20 });
});

test("with MetalLB's objects each node says whether it understands the configuration, and what not", async () => {
  const pool = (addresses: readonly string[]) => ({
    apiVersion: "metallb.io/v1beta1",
    kind: "IPAddressPool",
    metadata: { name: "checked", namespace: "sluice-system" },
    spec: { addresses },
  });
  type State = { status?: { result?: string; errorSummary?: string } };
  const state = () => {
    const args = ["get", "configurationstate", "speaker-n1", "-n", "sluice-system", "--ignore-not-found", "-o", "json"];
    const text = server.kubectl(...args);
    return text === "" ? undefined : (JSON.parse(text) as State).status;
  };
  server.apply(pool(["10.77.0.0/28"]));
  await waitFor("Valid", () => state()?.result === "Valid", { timeoutSeconds: 30 });
  server.apply(pool(["10.77.0.0/28", "10.77.0.9-10.77.0.1"]));
  await waitFor("Invalid", () => state()?.result === "Invalid", { timeoutSeconds: 30 });
  expect(state()?.errorSummary).toContain("IPAddressPool/sluice-system/checked: spec.addresses[1]");
  server.apply(pool(["10.77.0.0/28"]));
  await waitFor("Valid again", () => state()?.result === "Valid" && state()?.errorSummary === "", {
    timeoutSeconds: 30,
  });
}, 120_000);
