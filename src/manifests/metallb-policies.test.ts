import { expect, test } from "vitest";
import { clusterNode, intentOf } from "../../test/fixtures/kubernetes-objects.ts";
import { plan } from "../control/plan.ts";

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
