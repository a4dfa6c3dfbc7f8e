import { describe, expect, test } from "vitest";
import {
  ciliumConfig,
  clusterNode,
  endpointSlice,
  intentOf,
  ipPool,
  lbService,
} from "../../test/fixtures/kubernetes-objects.ts";
import { NO_DSR } from "../dataplane/forwarding-spec.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { explainService } from "./explain-service.ts";
import { nodePlan } from "./node-plan.ts";
import { plan } from "./plan.ts";

const N1 = clusterNode("n1", "10.1.1.1");
const N2 = clusterNode("n2", "10.1.1.2");
const ON_N2 = endpointSlice("a", [{ address: "10.2.2.1", node: "n2" }]);
const PORTS = {
  ports: [
    { name: "tcp", port: 80 },
    { name: "udp", port: 53, protocol: "UDP" },
  ],
};
const DSR = { annotations: { "service.cilium.io/forwarding-mode": "dsr" } };

function forwarding(...objects: readonly object[]) {
  const intent = intentOf(N1, N2, ipPool("p", ["20.0.0.0/24"]), ...objects);
  return nodePlan(intent, plan(intent), "n1").forwarding;
}

const modes = (...objects: readonly object[]) =>
  forwarding(...objects).vips.map(({ protocol, mode }) => `${protocol} ${mode}`);

describe("a backend whose node has a gateway that starts or ends", () => {
  const backends = [
    { address: "10.2.1.1", node: "n1" },
    { address: "10.2.2.1", node: "n2" },
  ];
  const gateways = (n1: boolean, n2: boolean) => {
    const endpoints = [
      { address: "10.1.1.1", node: "n1", conditions: { ready: n1 } },
      { address: "10.1.1.2", node: "n2", conditions: { ready: n2 } },
    ];
    const slice = endpointSlice("kube-system/gateways", endpoints, []);
    return {
      ...slice,
      metadata: { ...slice.metadata, labels: { ...slice.metadata.labels, "sluice.dev/gateways": "" } },
    };
  };
  const open = (...objects: readonly object[]) =>
    forwarding(endpointSlice("a", backends), ...objects)
      .vips.flatMap((vip) => vip.backends)
      .filter(({ draining }) => !draining)
      .map(({ address }) => formatIpAddress(address));

  test("gets no new connections while there are others", () => {
    const service = lbService("a", DSR);
    expect(open(service)).toEqual(["10.2.1.1", "10.2.2.1"]);
    expect(open(service, gateways(true, true))).toEqual(["10.2.1.1", "10.2.2.1"]);
    expect(open(service, gateways(true, false))).toEqual(["10.2.1.1"]);
    expect(open(service, gateways(false, false))).toEqual(["10.2.1.1", "10.2.2.1"]);
  });

  test("gets none by its own node either, which would else send elsewhere what others have begun", () => {
    // The node that asks is n1.
    expect(open(lbService("a", DSR), gateways(false, true))).toEqual(["10.2.2.1"]);
  });

  test("is like any other where its replies come back here", () => {
    expect(open(lbService("a"), gateways(true, false))).toEqual(["10.2.1.1", "10.2.2.1"]);
  });
});

describe("the mode of a Service", () => {
  const service = lbService("a", { spec: PORTS });

  test.each([
    [{}, ["TCP nat", "UDP nat"]],
    [{ "bpf-lb-mode": "snat" }, ["TCP nat", "UDP nat"]],
    [{ "bpf-lb-mode": "dsr" }, ["TCP dsr-opt", "UDP dsr-opt"]],
    [{ "bpf-lb-mode": "hybrid" }, ["TCP dsr-opt", "UDP nat"]],
    [{ "bpf-lb-mode": "annotation" }, ["TCP nat", "UDP nat"]],
    ...["opt", "ipip", "geneve", "gue", "l2"].map((dispatch): [Record<string, string>, string[]] => [
      { "bpf-lb-mode": "dsr", "bpf-lb-dsr-dispatch": dispatch },
      [`TCP dsr-${dispatch}`, `UDP dsr-${dispatch}`],
    ]),
  ])("follows %j", (data: Record<string, string>, expected) => {
    expect(modes(ciliumConfig(data), service)).toEqual(expected);
  });

  test("is what its annotation says, whatever holds for the others", () => {
    const config = ciliumConfig({ "bpf-lb-mode": "dsr", "bpf-lb-dsr-dispatch": "gue" });
    const snat = { annotations: { "service.cilium.io/forwarding-mode": "snat" } };
    expect(modes(config, lbService("a", { ...snat, spec: PORTS }))).toEqual(["TCP nat", "UDP nat"]);
    expect(modes(lbService("a", { ...DSR, spec: PORTS }))).toEqual(["TCP dsr-opt", "UDP dsr-opt"]);
  });

  test("is explained", () => {
    const intent = intentOf(N1, N2, ipPool("p", ["20.0.0.0/24"]), lbService("a", DSR), ON_N2);
    expect(explainService(intent, plan(intent), "default/a")!.forwarding).toEqual({
      TCP: "direct server return, told by an option of the IP header",
    });
  });
});

describe("source NAT", () => {
  const sourceNat = (...objects: readonly object[]) => forwarding(...objects).vips.map((vip) => vip.sourceNat);

  test("is for backends of other nodes, or as the settings or the Service say", () => {
    expect(sourceNat(lbService("a"))).toEqual(["remote"]);
    const config = ciliumConfig({ "sluice-source-nat": "node" });
    expect(sourceNat(config, lbService("a"))).toEqual(["node"]);
    const none = { annotations: { "sluice.dev/source-nat": "none" } };
    expect(sourceNat(config, lbService("a", none))).toEqual(["none"]);
  });
});

describe("direct server return on a node", () => {
  test("needs nothing while no Service uses it", () => {
    expect(forwarding(lbService("a"), ON_N2).dsr).toEqual(NO_DSR);
  });

  test("takes tunnels at the node's address, from the other nodes alone", () => {
    const { dsr } = forwarding(lbService("a", DSR), ON_N2);
    expect(formatIpAddress(dsr.tunnel4!)).toBe("10.1.1.1");
    expect(dsr.tunnel6).toBeNull();
    expect(dsr.peers.map(({ address, prefixLength }) => [formatIpAddress(address), prefixLength])).toEqual([
      ["10.1.1.2", 32],
    ]);
  });

  test("sends to the address of the backend's node", () => {
    const [vip] = forwarding(lbService("a", DSR), ON_N2).vips;
    expect(vip!.backends.map(({ node }) => node && formatIpAddress(node))).toEqual(["10.1.1.2"]);
  });

  test("sends to a backend without a node itself", () => {
    const [vip] = forwarding(lbService("a", DSR), endpointSlice("a", [{ address: "10.9.0.1" }])).vips;
    expect(vip!.backends.map(({ node }) => node)).toEqual([null]);
  });

  test.each([
    ["there is no Node object n3", []],
    ["the Node n3 has no InternalIP", [{ ...clusterNode("n3", "10.1.1.3"), status: { addresses: [] } }]],
  ])("leaves out a backend whose replies nobody would turn round, and says so: %s", (why, more) => {
    const lost = endpointSlice("a", [
      { address: "10.2.2.1", node: "n2" },
      { address: "10.2.3.1", node: "n3" },
    ]);
    const objects = [...more, lbService("a", DSR), lost];
    const [vip] = forwarding(...objects).vips;
    expect(vip!.backends.map(({ address }) => formatIpAddress(address))).toEqual(["10.2.2.1"]);
    const intent = intentOf(N1, N2, ipPool("p", ["20.0.0.0/24"]), ...objects);
    const message = `its backend 10.2.3.1 gets no requests: ${why}, so nobody would send its replies as the Service`;
    expect(plan(intent).problems).toContainEqual(expect.objectContaining({ object: "Service/default/a", message }));
    expect(explainService(intent, plan(intent), "default/a")!.because).toContain(message);
  });
});
