import { expect, test } from "vitest";
import { clusterNode, intentOf } from "../../test/fixtures/kubernetes-objects.ts";
import { plan } from "../control/plan.ts";
import { composeIntent } from "./compose-intent.ts";
import { readObject } from "./read-object.ts";

const metadata = (name: string) => ({ name, namespace: "metallb-system" });
const peer = (fields: object) => ({
  apiVersion: "metallb.io/v1beta2",
  kind: "BGPPeer",
  metadata: metadata("tor"),
  spec: { myASN: 64512, peerASN: 64513, peerAddress: "10.0.0.254", ...fields },
});
const profile = {
  apiVersion: "metallb.io/v1beta1",
  kind: "BFDProfile",
  metadata: metadata("fast"),
  spec: { transmitInterval: 100, detectMultiplier: 5 },
};

const POOL = {
  apiVersion: "metallb.io/v1beta1",
  kind: "IPAddressPool",
  spec: { addresses: ["10.1.0.0/24"] },
};

test("a session has the BFD profile that it names, with a least TTL only over several hops", () => {
  const bfdOf = (fields: object) => {
    const intent = intentOf(clusterNode("n1", "10.0.0.1"), profile, peer({ bfdProfile: "fast", ...fields }));
    return plan(intent).nodes["n1"]!.bgp[0]!.peers[0]!.bfd;
  };
  const settings = { transmitMilliseconds: 100, receiveMilliseconds: 300, multiplier: 5, passive: false };
  expect(bfdOf({})).toEqual({ ...settings, minimumTtl: null });
  expect(bfdOf({ ebgpMultiHop: true })).toEqual({ ...settings, minimumTtl: 254 });
});

test("sessions of one AS number are one router, each with its own password", () => {
  const second = { ...peer({ peerAddress: "10.0.0.253", password: "secret" }), metadata: metadata("tor2") };
  const intent = intentOf(clusterNode("n1", "10.0.0.1"), peer({}), second);
  expect(plan(intent).nodes["n1"]!.bgp.map(({ peers }) => peers.map(({ name }) => name))).toEqual([["tor", "tor2"]]);
  expect(JSON.stringify(plan(intent))).not.toContain("secret");
  expect(Object.values(intent.bgpPasswords)).toEqual(["secret"]);
});

test("two advertisements that differ in the preference of one prefix are named, and others are not", () => {
  const advertisement = (name: string, spec: object) => ({
    apiVersion: "metallb.io/v1beta1",
    kind: "BGPAdvertisement",
    metadata: metadata(name),
    spec,
  });
  const pool = { ...POOL, metadata: metadata("pool") };
  const said = (a: object, b: object) => {
    const sources = [pool, advertisement("a", a), advertisement("b", b)].map((value) => {
      const { object, manifest } = readObject(value);
      return { object, where: "test", manifest: manifest! };
    });
    return composeIntent(sources).problems.map(({ object, message }) => `${object} ${message}`);
  };
  expect(said({ localPref: 100 }, { localPref: 200 })).toEqual([
    "BGPAdvertisement/metallb-system/b gives the same prefixes another local preference (200) than " +
      "BGPAdvertisement/metallb-system/a (100); the larger one counts",
  ]);
  expect(said({ localPref: 100 }, { localPref: 100 })).toEqual([]);
  expect(said({ localPref: 100 }, { localPref: 200, aggregationLength: 24 })).toEqual([]);
  expect(said({ localPref: 100, peers: ["x"] }, { localPref: 200, peers: ["y"] })).toEqual([]);
  const rack = (name: string) => ({ nodeSelectors: [{ matchLabels: { rack: name } }] });
  expect(said({ localPref: 100, ...rack("a") }, { localPref: 200, ...rack("b") })).toEqual([]);
  expect(said({ localPref: 100, ipAddressPools: ["pool"] }, { localPref: 200, ipAddressPools: ["other"] })).toEqual([]);
});
