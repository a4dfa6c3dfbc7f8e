/** The rules in deploy/base/rbac.yaml: enough for everything, and no more, by the API server's own authorizer. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ipPool, lbService } from "../fixtures/kubernetes-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";
import { joinCluster } from "./fixtures/member.ts";

const RBAC = join(import.meta.dirname, "../../deploy/base/rbac.yaml");
const ACCOUNT = "--as=system:serviceaccount:sluice-system:sluice";

let server: ApiServer;

beforeAll(async () => {
  server = await ApiServer.start();
  server.kubectl("apply", "-f", RBAC);
});
afterAll(() => server?.close());

test("a member gives addresses and follows every kind with nothing but its service account", async () => {
  server.apply(
    ipPool("pool", ["10.9.0.0/24"]),
    lbService("web"),
    lbService("wrong", {
      annotations: { "metallb.io/address-pool": "nowhere" },
    }),
  );
  const { member, states } = joinCluster({ kubeconfig: server.accountKubeconfig("sluice") }, "n1");
  try {
    await waitFor("an address", () => server.kubectl("get", "svc", "web").includes("10.9.0.0"));
    await waitFor("the pool's status", () => server.kubectl("get", "ippools").includes("255"));
    await waitFor("an Event", () => server.kubectl("get", "events").includes("AllocationFailed"));
    // The member shares this thread with kubectl, and a slow one may cost it a renewal of its Lease.
    await waitFor("the lead", () => member.status.leads);
    expect(member.status.faults).toEqual([]);
    expect(states.at(-1)!.intent.services.length).toBe(3);
  } finally {
    await member.close();
  }
  const lease = server.get<{ spec: { holderIdentity: string } }>("lease", "sluice-system/sluice-ipam");
  expect(lease.spec.holderIdentity, "given back").toBe("");
});

test.each([
  ["update", "services"],
  ["delete", "services"],
  ["patch", "nodes"],
  ["get", "secrets", "-n", "default"],
  ["list", "secrets", "--all-namespaces"],
  ["create", "secrets", "-n", "kube-system"],
  ["list", "configmaps", "-n", "kube-system"],
  ["list", "configmaps", "--all-namespaces"],
  ["update", "configmaps", "-n", "sluice-system"],
  ["list", "pods", "--all-namespaces"],
  ["create", "customresourcedefinitions"],
  ["delete", "leases", "-n", "kube-system"],
  ["update", "leases", "-n", "kube-system"],
  ["patch", "ciliumloadbalancerippools"],
  ["create", "clusterrolebindings"],
])("its service account may not %s %s", (...words) => {
  const asked = words.filter((word) => word !== undefined);
  expect(server.answer("auth", "can-i", ACCOUNT, ...asked)).toBe("no");
});

test.each([
  ["create", "ciliumbgpnodeconfigs"],
  ["patch", "ciliumbgpnodeconfigs", "--subresource=status"],
  ["create", "configurationstates", "-n", "sluice-system"],
  ["patch", "configurationstates", "-n", "sluice-system", "--subresource=status"],
  ["create", "servicebgpstatuses", "-n", "sluice-system"],
  ["delete", "servicebgpstatuses", "-n", "sluice-system"],
  ["patch", "servicebgpstatuses", "-n", "sluice-system", "--subresource=status"],
])("its service account may %s %s, where it keeps its records", (...words) => {
  const asked = words.filter((word) => word !== undefined);
  expect(server.answer("auth", "can-i", ACCOUNT, ...asked)).toMatch(/yes$/);
});
