import { expect, test } from "vitest";
import { judgeOffloads, type PortFacts } from "./offload-problem.ts";

const NIC: PortFacts = {
  interface: "eth0",
  driver: "mlx5_core",
  mode: "native",
  lro: false,
  tagged: false,
  rxVlan: true,
  farEnd: null,
};
const farEnd = { interface: "to-node", namespace: "/run/netns/router", txChecksum: true, txVlan: true };

test("a NIC as it comes has no problem", () => {
  expect(judgeOffloads(NIC)).toEqual([]);
});

test("a NIC that merges frames is told to stop", () => {
  expect(judgeOffloads({ ...NIC, lro: true })).toMatchObject([
    { interface: "eth0", severity: "error", repair: { interface: "eth0", namespace: null, offload: "lro" } },
  ]);
});

test("the far end of a veth has to finish its checksums", () => {
  const veth: PortFacts = { ...NIC, driver: "veth", mode: "generic", farEnd };
  const [problem] = judgeOffloads(veth);
  expect(problem).toMatchObject({
    severity: "error",
    repair: { interface: "to-node", namespace: "/run/netns/router", offload: "txChecksum" },
  });
  expect(problem!.message).toMatch(/to-node in the namespace \/run\/netns\/router, .*`ethtool -K to-node tx off`/);
  expect(judgeOffloads({ ...veth, farEnd: { ...farEnd, txChecksum: false } })).toEqual([]);
});

test("a far end that can't be seen is a note, for it may be all right", () => {
  const [problem] = judgeOffloads({ ...NIC, driver: "veth", farEnd: "hidden" });
  expect(problem).toMatchObject({ severity: "note", repair: null });
});

test("a virtual machine's interface needs native mode, in which its host finishes checksums", () => {
  const virtual: PortFacts = { ...NIC, driver: "virtio_net" };
  expect(judgeOffloads(virtual)).toEqual([]);
  expect(judgeOffloads({ ...virtual, mode: "generic" })).toMatchObject([{ severity: "error", repair: null }]);
});

test("on a port in a VLAN the tags must be in the frames, whoever would take them out", () => {
  expect(judgeOffloads({ ...NIC, tagged: true })).toMatchObject([{ repair: { interface: "eth0", offload: "rxVlan" } }]);
  const veth: PortFacts = { ...NIC, driver: "veth", mode: "generic", tagged: true, rxVlan: false, farEnd };
  expect(judgeOffloads(veth).map(({ repair }) => repair?.offload)).toEqual(["txChecksum", "txVlan"]);
});
