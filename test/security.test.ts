/**
 * Claims of docs/security.md that no other test shows: what somebody who may write Services can and can't make this
 * gateway answer for, and that each claim of that page names a test which there is.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodePlan } from "../src/control/node-plan.ts";
import { plan } from "../src/control/plan.ts";
import { formatIpAddress } from "../src/net/ip-address.ts";
import {
  ciliumConfig,
  clusterNode,
  intentOf,
  ipPool,
  lbService,
  peeringPolicy,
} from "./fixtures/kubernetes-objects.ts";

const ROOT = join(import.meta.dirname, "..");
const SOMEBODY_ELSES = "192.0.2.53";
const NETWORK = [
  ciliumConfig({ "enable-bgp-control-plane": "true" }),
  clusterNode("n1", "10.1.1.1", { podCIDRs: ["10.2.1.0/24"] }),
  peeringPolicy("bgp", { serviceSelector: { matchLabels: { bgp: "yes" } } }),
  ipPool("p", ["20.0.0.0/24"]),
];

/** What n1 serves and announces when somebody adds a Service. */
function withService(service: object): { owned: string[]; routes: string[] } {
  const intent = intentOf(...NETWORK, service);
  const planned = plan(intent);
  const { forwarding, bgp } = nodePlan(intent, planned, "n1");
  return {
    owned: forwarding.owned.map(({ address }) => formatIpAddress(address)),
    routes: bgp.instances.flatMap(({ peers }) => peers.flatMap(({ routes }) => routes.map(({ prefix }) => prefix))),
  };
}

test("a Service that asks for somebody else's address by any of its fields gets one of the pool, or none", () => {
  const bgp = { labels: { bgp: "yes" } };
  const asked = lbService("a", { ...bgp, spec: { loadBalancerIP: SOMEBODY_ELSES } });
  expect(withService(asked)).toEqual({ owned: [], routes: [] });
  const annotated = lbService("a", { ...bgp, annotations: { "lbipam.cilium.io/ips": SOMEBODY_ELSES } });
  expect(withService(annotated)).toEqual({ owned: [], routes: [] });
  const held = lbService("a", { ...bgp, held: [SOMEBODY_ELSES] });
  expect(withService(held)).toEqual({ owned: ["20.0.0.0"], routes: ["20.0.0.0/32"] });
  const external = lbService("a", { ...bgp, spec: { externalIPs: [SOMEBODY_ELSES] } });
  expect(withService(external)).toEqual({ owned: ["20.0.0.0"], routes: ["20.0.0.0/32"] });
});

test("an external address is served only where an operator's policy says that such are announced", () => {
  const intent = intentOf(
    ...NETWORK.slice(0, 2),
    peeringPolicy("bgp", {
      serviceSelector: { matchLabels: { bgp: "yes" } },
      serviceAdvertisements: ["LoadBalancerIP", "ExternalIP"],
    }),
    lbService("a", { labels: { bgp: "yes" }, spec: { externalIPs: [SOMEBODY_ELSES] } }),
    lbService("b", { spec: { externalIPs: ["192.0.2.54"] } }),
  );
  const { owned } = nodePlan(intent, plan(intent), "n1").forwarding;
  expect(owned.map(({ address }) => formatIpAddress(address))).toEqual([SOMEBODY_ELSES]);
});

test("each claim of the page names a test, by its file and its words, and the test is there", () => {
  const page = readFileSync(join(ROOT, "docs/security.md"), "utf8");
  const claims = page.split("\n").filter((line) => /^\| (?!claim|---)/.test(line));
  expect(claims.length).toBeGreaterThan(20);
  for (const claim of claims) {
    const shown = [...claim.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g)];
    expect(shown.length, claim).toBeGreaterThan(0);
    for (const [, words, file] of shown) {
      expect(existsSync(join(ROOT, file!)), `${claim}: ${file}`).toBe(true);
      expect(readFileSync(join(ROOT, file!), "utf8"), `${file} has no test "${words}"`).toContain(words!);
    }
  }
});
