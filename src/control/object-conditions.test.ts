import { expect, test } from "vitest";
import { intentOf } from "../../test/fixtures/kubernetes-objects.ts";
import { plan } from "./plan.ts";

const config = (authSecretRef?: string) => ({
  apiVersion: "cilium.io/v2",
  kind: "CiliumBGPPeerConfig",
  metadata: { name: "tor" },
  spec: { authSecretRef, families: [] },
});

const SECRET = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "key", namespace: "kube-system" },
  stringData: { password: "x" },
};

test.each([
  ["needs none", [config()], "False"],
  ["has it", [config("key"), SECRET], "False"],
  ["lacks it", [config("key")], "True"],
])("a peer configuration that %s says whether its Secret is missing", (_what, objects, status) => {
  const { conditions } = plan(intentOf(...objects)).objects["CiliumBGPPeerConfig/tor"]!;
  expect(conditions).toMatchObject([{ type: "cilium.io/MissingAuthSecret", status }]);
});
