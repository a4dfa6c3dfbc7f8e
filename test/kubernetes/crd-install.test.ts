/** `sluice crds install` against a real API server: what lacks comes, what is there is left as it is. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ApiConnection } from "../../src/kubernetes/api-connection.ts";
import { installCrds } from "../../src/kubernetes/crd-install.ts";
import { ApiServer } from "./fixtures/api-server.ts";

let server: ApiServer;

beforeAll(async () => {
  server = await ApiServer.start();
});
afterAll(() => server?.close());

test("a definition that lacks is installed and one of somebody else's is not touched", async () => {
  const own = "ciliumbgppeerconfigs.cilium.io";
  const theirs = "ippools-of-cilium";
  server.kubectl("delete", "crd", own);
  const pools = "ciliumloadbalancerippools.cilium.io";
  const older = [
    { op: "add", path: "/metadata/labels", value: { brought: theirs } },
    { op: "replace", path: "/spec/versions/1/served", value: false },
  ];
  server.kubectl("patch", "crd", pools, "--type=json", "-p", JSON.stringify(older));
  const before = server.kubectl("get", "crd", pools, "-o", "json");
  const lines = await installCrds(new ApiConnection(server.kubeconfig));
  expect(lines).toContain(`${own}: installed`);
  expect(lines.filter((line) => line.endsWith(": installed"))).toHaveLength(1);
  expect(lines.find((line) => line.startsWith(pools))).toMatch(/is there already, without v2(alpha1)?; left alone/);
  expect(server.kubectl("get", "crd", pools, "-o", "json")).toBe(before);
  server.kubectl("wait", "--for=condition=Established", "crd", own);
  expect(await installCrds(new ApiConnection(server.kubeconfig))).not.toContain(`${own}: installed`);
});
