import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readManifestText } from "../config/manifest-text.ts";
import { plan } from "../control/plan.ts";
import { composeIntent } from "../manifests/compose-intent.ts";
import { planTrial, type TrialMode } from "./plan-trial.ts";
import { PlanTrials } from "./plan-trials.ts";

const FOLDER = join(import.meta.dirname, "../../test/data/manifests/seed-a");
const SOURCES = readdirSync(FOLDER).flatMap(
  (file) => readManifestText(readFileSync(join(FOLDER, file), "utf8"), file).manifests,
);
const LIVE = plan(composeIntent(SOURCES).intent);
const SERVICE = `
apiVersion: v1
kind: Service
metadata: {name: another, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 443}]}
`;
const POOL = `---
apiVersion: cilium.io/v2alpha1
kind: CiliumLoadBalancerIPPool
metadata: {name: more}
spec: {blocks: [{cidr: 192.0.2.0/24}]}
`;
const OLD = `
apiVersion: v1
kind: Service
metadata: {name: my-service, namespace: default}
spec: {type: ClusterIP, ports: [{port: 80}]}
`;

const request = (text: string, mode: TrialMode = "apply") => ({
  ...{ text, mode, sources: SOURCES, held: LIVE.services, givesAddresses: true },
  parts: { bgp: true, l2: true, forwarding: true },
});

test("a new Service gets an address, and nothing that is live moves", () => {
  const { objects, difference, problems } = planTrial(request(SERVICE + POOL));
  expect(objects).toEqual(["Service/shop/another: new", "CiliumLoadBalancerIPPool/more: new"]);
  expect(difference.addresses).toMatchObject([{ service: "shop/another", before: [] }]);
  expect(difference.addresses[0]!.after).toHaveLength(1);
  expect({ moves: difference.moves, problems }).toEqual({ moves: false, problems: [] });
});

test("one that stops being of type LoadBalancer loses what it has, and that is said to move; so does one that is deleted", () => {
  const before = LIVE.services["default/my-service"]!.ingress;
  for (const [mode, fate] of [
    ["apply", "replaced"],
    ["delete", "gone"],
  ] as const) {
    const { objects, difference } = planTrial(request(OLD, mode));
    expect(objects).toEqual([`Service/default/my-service: ${fate}`]);
    expect(difference.moves).toBe(true);
    expect(difference.addresses).toEqual([{ service: "default/my-service", before, after: [] }]);
  }
});

test("what makes no sense is told by line and field, and what would get no address with the reason", () => {
  const { problems } = planTrial(request(`${SERVICE.replace("LoadBalancer", "LoadBalanced")}---\nkind: [`));
  expect(problems.join("\n")).toMatch(/what you gave:5.*spec\.type/);
  expect(problems.join("\n")).toContain("is not valid YAML");
  const asked = SERVICE.replace("type: LoadBalancer", "type: LoadBalancer, loadBalancerIP: 198.51.100.77");
  expect(planTrial(request(asked)).problems.join("\n")).toMatch(/shop\/another: .*198\.51\.100\.77/);
});

test("to delete what is not there changes nothing", () => {
  const { objects, difference } = planTrial(request(SERVICE, "delete"));
  expect(objects).toEqual(["Service/shop/another: not there, so nothing to delete"]);
  expect(difference).toEqual({ addresses: [], routes: [], owners: [], moves: false });
});

test("it is made in a thread, one at a time", async () => {
  const trials = new PlanTrials();
  const [first, second] = [trials.try(request(SERVICE)), trials.try(request(SERVICE))];
  await expect(second).rejects.toThrow("another plan is being tried just now");
  expect(await first).toEqual(planTrial(request(SERVICE)));
  expect((await trials.try(request(OLD))).difference.moves).toBe(true);
}, 30_000);
