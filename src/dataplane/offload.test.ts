import { expect, test } from "vitest";
import {
  BACKEND,
  BACKEND_MAC,
  gateway,
  LAN,
  LAN_MAC,
  ROUTER_MAC,
  VIP,
  WAN,
  WAN_MAC,
} from "../../test/fixtures/gateway.ts";
import { segmentFrame } from "../../test/fixtures/segments.ts";

const CLIENT = "11.0.0.1";

/** How many rows the kernel has after a question, and after its answer. */
function offloadedRows(hurries: boolean): [number, number] {
  const { batch, bytes, flows4, pipeline } = gateway(1, 1 << 14, 1024, [BACKEND], { offloads: true });
  pipeline.hurries = hurries;
  const run = (frame: Uint8Array, port: number) => {
    bytes.set(frame, 256);
    batch.holdOne(256, frame.length, port);
    pipeline.run(1000);
    let rows = 0;
    for (let row = 0; row < flows4.words.length; row += flows4.layout.words) if (flows4.isOffloaded(row)) rows++;
    return rows;
  };
  const ports = { sourcePort: 4000, destinationPort: 80 };
  const answered = { sourcePort: 8080, destinationPort: 4000 };
  const question = { destinationMac: WAN_MAC, sourceMac: ROUTER_MAC, source: CLIENT, destination: VIP, ...ports };
  const answer = { destinationMac: LAN_MAC, sourceMac: BACKEND_MAC, source: BACKEND, destination: CLIENT, ...answered };
  return [
    run(segmentFrame({ ...question, protocol: "UDP" }), WAN),
    run(segmentFrame({ ...answer, protocol: "UDP" }), LAN),
  ];
}

test("a flow of datagrams goes to the kernel when it has been answered", () => {
  expect(offloadedRows(false)).toEqual([0, 2]);
});

test("while a worker stands still, with its first one: the answer may come to that worker", () => {
  expect(offloadedRows(true)).toEqual([2, 2]);
});
