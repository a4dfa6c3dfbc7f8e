import { expect, test } from "vitest";
import { ClusterState } from "./cluster-state.ts";
import type { WatchedKind } from "./object-watch.ts";

const SECRETS: WatchedKind = {
  ...{ kind: "Secret", apiVersions: ["v1"], plural: "secrets", namespace: "kube-system", fieldSelector: null },
};

function secret(name: string, data: Readonly<Record<string, string>> | null) {
  const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "c2VjcmV0 beside it" };
  const metadata = { name, namespace: "kube-system", uid: name, resourceVersion: "7", annotations };
  return { apiVersion: "v1", kind: "Secret", metadata, data };
}

test("of a Secret only what may be the key of a session is kept", () => {
  const state = new ClusterState();
  state.replaceAll(SECRETS, [
    secret("router", { password: "aHVudGVyMg==", other: "c2VjcmV0" }),
    secret("bootstrap-token", { token: "c2VjcmV0" }),
    secret("empty", null),
  ]);
  const kept = JSON.stringify(state.objectsOf(SECRETS));
  expect(kept).toContain("aHVudGVyMg==");
  expect(kept).not.toContain("c2VjcmV0");
  expect(state.objectsOf(SECRETS)).toHaveLength(3);
  expect(state.current().sources.map(({ manifest }) => manifest)).toContainEqual({
    ...{ type: "bgp-password", namespace: "kube-system", name: "router", password: "hunter2" },
  });
});
