import { describe, expect, test } from "vitest";
import { lbService } from "../../test/fixtures/kubernetes-objects.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { formatPath } from "./finding.ts";
import { readObject } from "./read-object.ts";

function read(object: object) {
  const result = readObject(object);
  return {
    service: result.manifest?.type === "service" ? result.manifest.service : null,
    said: result.findings.map(({ severity, path, message }) => `${severity} ${formatPath(path)}: ${message}`),
  };
}

describe("a Service", () => {
  test("has Kubernetes' defaults", () => {
    const object = { apiVersion: "v1", kind: "Service", metadata: { name: "a" }, spec: { ports: [{ port: 53 }] } };
    expect(read(object).service).toEqual({
      namespace: "default",
      name: "a",
      labels: {},
      createdAtMilliseconds: null,
      wantsLoadBalancer: false,
      loadBalancerClass: null,
      clusterAddresses: [],
      externalAddresses: [],
      internalTrafficPolicy: "cluster",
      dialect: null,
      requestFault: null,
      requestedPool: null,
      externalTrafficPolicy: "cluster",
      families: [],
      familyPolicy: null,
      requestedAddresses: [],
      heldAddresses: [],
      sharing: null,
      podSelector: {},
      ports: [{ name: "", port: 53, protocol: "TCP", backends: [] }],
    });
  });

  test("adds up the addresses that its spec and its annotation ask for", () => {
    const { service } = read(
      lbService("a", {
        annotations: { "lbipam.cilium.io/ips": "10.0.10.22, 10.0.10.23,10.0.10.21" },
        spec: { loadBalancerIP: "10.0.10.21" },
      }),
    );
    expect(service!.requestedAddresses.map(formatIpAddress)).toEqual(["10.0.10.21", "10.0.10.22", "10.0.10.23"]);
  });

  test("leaves out an address that is none, and says so", () => {
    const { service, said } = read(lbService("a", { spec: { loadBalancerIP: "10.0.0.300" } }));
    expect(service!.requestedAddresses).toEqual([]);
    expect(said).toEqual(['warning spec.loadBalancerIP: must be an IP address; "10.0.0.300" is left out']);
  });

  test("shares under either spelling of the annotations", () => {
    const sharing = (prefix: string) =>
      read(
        lbService("a", {
          annotations: { [`${prefix}sharing-key`]: "k", [`${prefix}sharing-cross-namespace`]: "blue, red" },
        }),
      ).service!.sharing;
    const expected = { dialect: "cilium", key: "k", namespaces: ["blue", "red"], permitDifferentPods: false };
    expect(sharing("lbipam.cilium.io/")).toEqual(expected);
    expect(sharing("io.cilium/lb-ipam-")).toEqual(expected);
  });

  test.each([
    [{ ports: [] }, "error spec.ports: must have at least one entry"],
    [{ ports: [{ port: 70000 }] }, "error spec.ports[0].port: must be at most 65535, is 70000"],
    [{ ports: [{ port: 80 }, { port: 81, name: "b" }] }, "error spec.ports[0].name: is required with several ports"],
    [
      { ports: [{ port: 80, protocol: "SCTP" }] },
      "warning spec.ports[0].protocol: SCTP is not forwarded, only TCP and UDP are",
    ],
    [{ externalTrafficPolicy: "local" }, 'error spec.externalTrafficPolicy: must be one of Cluster, Local; is "local"'],
    [
      { loadBalancerSourceRanges: ["10.0.0.0/8"] },
      "warning spec.loadBalancerSourceRanges: is not enforced by this version: every client that reaches the address is let in",
    ],
  ])("with %j says %s", (spec, message) => {
    expect(read(lbService("a", { spec })).said).toEqual([message]);
  });
});
