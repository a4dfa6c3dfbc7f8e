import { describe, expect, test } from "vitest";
import {
  type EndpointParts,
  endpointSlice,
  intentOf,
  ipPool,
  lbService,
} from "../../test/fixtures/kubernetes-objects.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { composeIntent } from "./compose-intent.ts";
import { readObject } from "./read-object.ts";

function backends(...objects: readonly object[]): string[] {
  return intentOf(...objects).services[0]!.ports.flatMap((port) =>
    port.backends.map(({ address, port, node, state }) => `${formatIpAddress(address)}:${port} ${node} ${state}`),
  );
}

const one = (conditions?: object): EndpointParts => ({
  address: "10.2.3.5",
  node: "n1",
  ...(conditions === undefined ? {} : { conditions }),
});

describe("the backends of a Service", () => {
  test.each([
    [undefined, "ready"],
    [{ ready: true }, "ready"],
    [{ ready: null }, "ready"],
    [{ ready: false }, "draining"],
    [{ ready: false, serving: true, terminating: true }, "serving"],
    [{ ready: false, serving: false, terminating: true }, "draining"],
  ])("with the conditions %j are %s", (conditions, state) => {
    expect(backends(lbService("a"), endpointSlice("a", [one(conditions)]))).toEqual([`10.2.3.5:80 n1 ${state}`]);
  });

  test("come from all slices of the Service, each once and at its best", () => {
    const first = endpointSlice("a", [one({ ready: false }), { address: "10.2.3.6", node: "n2" }]);
    const second = endpointSlice("a", [one()], [{ name: "", port: 80 }], "a-2");
    expect(backends(lbService("a"), first, second, endpointSlice("b", [{ address: "10.2.3.7" }]))).toEqual([
      "10.2.3.5:80 n1 ready",
      "10.2.3.6:80 n2 ready",
    ]);
  });

  test("belong to the port of their name and protocol, whatever its number", () => {
    const spec = {
      ports: [
        { name: "web", port: 80 },
        { name: "dns", port: 53, protocol: "UDP" },
      ],
    };
    const ports = [
      { name: "dns", port: 5353, protocol: "UDP" },
      { name: "web", port: 8080 },
      { name: "dns", port: 5354, protocol: "TCP" },
    ];
    expect(backends(lbService("a", { spec }), endpointSlice("a", [one()], ports))).toEqual([
      "10.2.3.5:8080 n1 ready",
      "10.2.3.5:5353 n1 ready",
    ]);
  });

  test("of another namespace are not its own", () => {
    expect(backends(lbService("blue/a"), endpointSlice("red/a", [one()]))).toEqual([]);
  });

  test("without a node of their own have none", () => {
    expect(backends(lbService("a"), endpointSlice("a", [{ address: "10.2.3.5" }]))).toEqual(["10.2.3.5:80 null ready"]);
  });
});

describe("an object that is there twice", () => {
  test("counts as the later one says, and both places are named", () => {
    const source = (cidr: string, where: string) => {
      const { object, manifest } = readObject(ipPool("p", [cidr]));
      return { object, where, manifest: manifest! };
    };
    const { intent, problems } = composeIntent([source("10.0.0.0/24", "a.yaml:1"), source("10.1.0.0/24", "b.yaml:1")]);
    expect(intent.pools.map(({ blocks }) => blocks[0]!.text)).toEqual(["10.1.0.0/24"]);
    expect(problems).toMatchObject([
      {
        object: "CiliumLoadBalancerIPPool/p",
        where: "b.yaml:1",
        message: "is defined twice; this one replaces the one in a.yaml:1",
      },
    ]);
  });
});

test("an Intent does not depend on the order in which objects are read", () => {
  const objects = [lbService("b"), lbService("a"), ipPool("q", ["10.0.1.0/24"]), ipPool("p", ["10.0.0.0/24"])];
  expect(intentOf(...objects)).toEqual(intentOf(...objects.toReversed()));
});
