import { expect, test } from "vitest";
import { bareServices } from "./bare-services.ts";
import type { NodeReport } from "./node-report.ts";

const [HTTP, HTTPS] = ["192.0.2.1:80/TCP", "192.0.2.1:443/TCP"];

/** What n1, n2 and so on say of one Service; `null` for a node that does not answer. */
function bare(nodes: readonly (readonly string[] | null)[], announcers: readonly string[]) {
  const reports = nodes.flatMap((withoutBackends, index) => {
    const services = { "default/web": { frames: 0, flowsOpened: 0, withoutBackends } };
    return withoutBackends === null ? [] : [{ node: `n${index + 1}`, services } as unknown as NodeReport];
  });
  return bareServices(reports, { "default/web": announcers });
}

test("a Service is without backends where every node that answers and serves it has none, and nobody else announces it", () => {
  const found = [{ name: "default/web", vips: [HTTPS] }];
  expect(bare([[HTTPS], [HTTP, HTTPS]], ["n1", "n2"])).toEqual(found);
  expect(bare([[HTTPS]], [])).toEqual(found);
  // With `externalTrafficPolicy: Local` the pods are at the other node, whether it answers or not.
  expect(bare([[HTTPS], []], ["n2"])).toEqual([]);
  expect(bare([[HTTPS], null], ["n2"])).toEqual([]);
  expect(bare([null, null], ["n1"])).toEqual([]);
});
