/** The nodes themselves and their pods as clients of Services, whose pods run on the same node or on another one. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { curl, downloadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { Lab } from "../lab/lab.ts";
import type { Namespace } from "../lab/namespace.ts";
import { routeVips, setSwitches, TWO_NODES_PLACES, type TwoNodes, twoNodes } from "../lab/two-nodes.ts";

const bodySha256 = sha256(deterministicBody(TWENTY_MEGABYTES));

let lab: Lab;
let network: TwoNodes;

beforeAll(async () => {
  lab = new Lab("slo");
  network = await twoNodes(lab);
});

afterAll(() => lab?.close());

const CLIENTS: readonly { readonly who: string; readonly namespace: () => Namespace }[] = [
  { who: "node1", namespace: () => network.nodes[0] },
  { who: "node2", namespace: () => network.nodes[1] },
  { who: "a pod of node1", namespace: () => network.near.pod.namespace },
  { who: "a pod of node2", namespace: () => network.far[0].pod.namespace },
];

describe.each(["snat", "dsr"])("with bpf-lb-mode %s", (mode) => {
  beforeAll(() => setSwitches(network, { "bpf-lb-mode": mode, "bpf-lb-dsr-dispatch": "ipip" }));

  describe.each(TWO_NODES_PLACES)("IPv$family", ({ family, web, near, both }) => {
    const url = (address: string) => `http://${family === 4 ? address : `[${address}]`}:80/`;

    test.each(CLIENTS)("$who reaches pods on its node, on the other one, and both", ({ namespace }) => {
      for (const [address, pods] of [
        [web, ["far1", "far2"]],
        [near, ["near"]],
        [both, ["near", "far1"]],
      ] as const) {
        const answers = Array.from({ length: 12 }, () => curl(namespace(), url(address)));
        expect(answers.map(({ error }) => error)).toEqual(Array(12).fill(""));
        expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(pods));
      }
    });

    test.each(CLIENTS)("$who downloads 20 MB whole, and pings the Service", async ({ namespace }) => {
      expect(await downloadSha256(namespace(), `${url(both)}20mb`)).toBe(bodySha256);
      expect(namespace().try(["ping", `-${family}`, "-n", "-q", "-c", "2", "-i", "0.1", both]).stdout).toContain(
        "2 received",
      );
    });
  });
});

describe.each(TWO_NODES_PLACES)("IPv$family, by the router", ({ family, near }) => {
  // As after the death of a gateway that has left no routes, or where the node has its own ideas of routing.
  test("a pod whose request comes round to its own node is answered by a pod of that node", () => {
    routeVips(network, 1);
    const route = `${near}/${family === 4 ? 32 : 128}`;
    const inTheWay = network.nodes[0].run(["ip", `-${family}`, "route", "show", route]).trim();
    network.nodes[0].ip(`route del ${route}`);
    try {
      const host = family === 4 ? near : `[${near}]`;
      expect(curl(network.near.pod.namespace, `http://${host}/`).body).toBe("near");
    } finally {
      network.nodes[0].ip(`route add ${inTheWay.split(" proto")[0]}`);
    }
  });
});
