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
      affinitySeconds: null,
      balancing: null,
      forwarding: null,
      sourceNat: null,
      clients: null,
      podSelector: {},
      ports: [{ name: "", port: 53, protocol: "TCP", backends: [] }],
    });
  });

  test("asks for direct server return and source NAT by annotations, and is told of words that mean nothing", () => {
    const mode = "service.cilium.io/forwarding-mode";
    const sourceNat = "sluice.dev/source-nat";
    const asked = lbService("a", { annotations: { [mode]: "dsr", [sourceNat]: "none" } });
    expect(read(asked).service).toMatchObject({ forwarding: "dsr", sourceNat: "none" });
    const { service, said } = read(lbService("a", { annotations: { [mode]: "DSR" } }));
    expect(service!.forwarding).toBeNull();
    expect(said).toEqual([
      `warning metadata.annotations["${mode}"]: must be one of snat, dsr; "DSR" counts as not given`,
    ]);
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
    [{ externalTrafficPolicy: "local" }, 'error spec.externalTrafficPolicy: must be one of Cluster, Local; is "local"'],
    [
      { loadBalancerSourceRanges: ["10.0.0.0/33"] },
      'warning spec.loadBalancerSourceRanges[0]: must be a prefix such as 192.0.2.0/24; "10.0.0.0/33" is left out',
    ],
  ])("with %j says %s", (spec, message) => {
    expect(read(lbService("a", { spec })).said).toEqual([message]);
  });

  test("lets in the clients that it names, or all but those", () => {
    const clients = (annotations: Record<string, string>) =>
      read(lbService("a", { annotations, spec: { loadBalancerSourceRanges: ["10.0.0.0/8", " 2001:db8::/32"] } }))
        .service!.clients!;
    expect(clients({}).action).toBe("allow");
    expect(clients({}).ranges.map(({ prefixLength }) => prefixLength)).toEqual([8, 32]);
    expect(clients({ "service.cilium.io/src-ranges-policy": "deny" }).action).toBe("deny");
  });

  test("lets nobody in when no range of its list can be read", () => {
    const { service } = read(lbService("a", { spec: { loadBalancerSourceRanges: ["everybody"] } }));
    expect(service!.clients).toEqual({ action: "allow", ranges: [] });
  });
});
