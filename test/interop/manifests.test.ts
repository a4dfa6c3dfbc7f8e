/**
 * What objects of both dialects mean to a real FRR router: the node's plan is made from them and given to the speaker.
 * Aggregation, overlapping advertisements, BFD profiles, and a router that the node finds by its default route.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { nodePlan } from "../../src/control/node-plan.ts";
import { plan } from "../../src/control/plan.ts";
import { clusterNode, endpointSlice, intentOf, ipPool, lbService } from "../fixtures/kubernetes-objects.ts";
import { Frr } from "../lab/frr.ts";
import { waitFor } from "../lab/wait-for.ts";
import { NODE, PeerLab, ROUTER } from "./peer-lab.ts";

const CONFIG = `
bfd
exit
router bgp 65001
 bgp router-id 192.168.1.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor ${NODE} remote-as 65000
 neighbor ${NODE} timers connect 1
`;
const BGP_ON = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "cilium-config", namespace: "kube-system" },
  data: { "enable-bgp-control-plane": "true" },
};

let net: PeerLab;
let frr: Frr;

/** Two Services with an address of 192.168.10.0/24 each, and what else a test needs. */
async function apply(...objects: object[]): Promise<void> {
  const services = ["web", "shop"].flatMap((name) => [
    lbService(`default/${name}`, { labels: { color: "blue" } }),
    endpointSlice(`default/${name}`, [{ address: "10.2.0.5", node: "n1" }]),
  ]);
  const intent = intentOf(clusterNode("n1", NODE), BGP_ON, ...services, ...objects);
  await net.speaker.apply(nodePlan(intent, plan(intent), "n1").bgp);
}

function frrRoute(prefix: string): string {
  return frr.vtysh(`show bgp ipv4 unicast ${prefix}`);
}

const metallb = (kind: string, name: string, spec: object) => ({
  apiVersion: kind === "BGPPeer" ? "metallb.io/v1beta2" : "metallb.io/v1beta1",
  kind,
  metadata: { name, namespace: "metallb-system" },
  spec,
});
const cilium = (kind: string, name: string, spec: object, labels = {}) => ({
  apiVersion: "cilium.io/v2",
  kind,
  metadata: { name, labels },
  spec,
});

beforeAll(async () => {
  net = new PeerLab();
  frr = new Frr(net.lab, net.router, CONFIG, ["bfdd"]);
  await frr.start();
});

afterEach(async () => {
  await net.apply();
  for (const prefix of ["192.168.10.0/24", "192.168.10.0/32", "192.168.10.1/32"]) await net.gone(prefix);
});

afterAll(() => net?.close());

describe("MetalLB's objects", () => {
  const pool = metallb("IPAddressPool", "pool", { addresses: ["192.168.10.0/24"] });
  const peer = metallb("BGPPeer", "tor", { myASN: 65000, peerASN: 65001, peerAddress: ROUTER });

  test("announce an aggregate once, beside whole addresses where another advertisement asks for them", async () => {
    await apply(
      pool,
      peer,
      metallb("BGPAdvertisement", "wide", { aggregationLength: 24, communities: ["65000:24"] }),
      metallb("BGPAdvertisement", "narrow", { communities: ["65000:32"] }),
    );
    await net.installed("192.168.10.0/24");
    await net.installed("192.168.10.1/32");
    expect(frrRoute("192.168.10.0/24")).toContain("Community: 65000:24");
    expect(frrRoute("192.168.10.1/32")).toContain("Community: 65000:32");
    await apply(pool, peer, metallb("BGPAdvertisement", "wide", { aggregationLength: 24, communities: ["65000:24"] }));
    await net.gone("192.168.10.1/32");
    expect(net.kernelRoute("192.168.10.0/24")).not.toBe("");
    expect((await net.status()).timesEstablished).toBe(1);
  });

  test("bring BFD up at the pace of the profile that the peer names", async () => {
    frr.configure("router bgp 65001", `neighbor ${NODE} bfd`);
    try {
      const profile = metallb("BFDProfile", "fast", {
        transmitInterval: 100,
        receiveInterval: 100,
        detectMultiplier: 3,
      });
      const { spec } = peer;
      await apply(
        pool,
        { ...peer, spec: { ...spec, bfdProfile: "fast" } },
        profile,
        metallb("BGPAdvertisement", "all", {}),
      );
      await waitFor("BFD to be up", async () => (await net.status()).bfd === "Up", { timeoutSeconds: 15 });
      type Bfd = { "remote-transmit-interval": number }[];
      expect(frr.vtyshJson<Bfd>("show bfd peers json")[0]!["remote-transmit-interval"]).toBe(100);
    } finally {
      frr.configure("router bgp 65001", `no neighbor ${NODE} bfd`);
    }
  });
});

describe("Cilium's objects", () => {
  const cluster = (peer: object) =>
    cilium("CiliumBGPClusterConfig", "rack", {
      bgpInstances: [
        {
          name: "i",
          localASN: 65000,
          peers: [{ name: "tor", peerASN: 65001, peerConfigRef: { name: "config" }, ...peer }],
        },
      ],
    });
  const config = cilium("CiliumBGPPeerConfig", "config", {
    timers: { connectRetryTimeSeconds: 1, holdTimeSeconds: 9, keepAliveTimeSeconds: 3 },
    families: [{ afi: "ipv4", safi: "unicast", advertisements: { matchLabels: { advertise: "bgp" } } }],
  });
  const advertisement = (name: string, more: object, service = {}) =>
    cilium(
      "CiliumBGPAdvertisement",
      name,
      {
        advertisements: [
          {
            advertisementType: "Service",
            service: { addresses: ["LoadBalancerIP"], ...service },
            selector: { matchLabels: { color: "blue" } },
            ...more,
          },
        ],
      },
      { advertise: "bgp" },
    );

  test("that overlap add up on the route: the communities of all", async () => {
    const marked = (standard: string, large: string) => ({
      attributes: { communities: { standard: [standard], large: [large] } },
    });
    await apply(
      ipPool("pool", ["192.168.10.0/24"]),
      cluster({ peerAddress: ROUTER }),
      config,
      advertisement("one", marked("65000:1", "65000:1:1")),
      advertisement("two", marked("65000:2", "65000:2:2")),
    );
    await net.installed("192.168.10.1/32");
    const shown = frrRoute("192.168.10.1/32");
    expect(shown).toContain("Community: 65000:1 65000:2");
    expect(shown).toContain("Large Community: 65000:1:1 65000:2:2");
  });

  test("announce prefixes of the aggregation length, to a router found by the default route", async () => {
    net.node.ip(`route add default via ${ROUTER}`);
    try {
      await apply(
        ipPool("pool", ["192.168.10.0/24"]),
        cluster({ autoDiscovery: { mode: "DefaultGateway", defaultGateway: { addressFamily: "ipv4" } } }),
        config,
        advertisement("wide", {}, { aggregationLengthIPv4: 24 }),
      );
      expect(await net.installed("192.168.10.0/24")).toContain(`via ${NODE}`);
      expect(await net.status()).toMatchObject({ address: ROUTER, routesAdvertised: 1 });
    } finally {
      net.node.ip("route del default");
    }
  });
});
