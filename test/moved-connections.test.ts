/** Connections of direct server return that routers move to another node after pods have come and gone. */
import { describe, expect, it } from "vitest";
import { SECONDS_TO_KNOW_ALL } from "../src/dataplane/mid-flow.ts";
import { DsrCluster } from "./fixtures/dsr-cluster.ts";
import { CLIENT, VIPS } from "./fixtures/dsr-nodes.ts";
import { addressBytes } from "./fixtures/segments.ts";

const SYN = 0x02;
const FIN_ACK = 0x11;
const SYN_ACK = 0x12;
const ACK = 0x10;
const PSH_ACK = 0x18;
const MODES = ["dsr-opt", "dsr-geneve", "dsr-ipip", "dsr-gue"] as const;
const CASES = MODES.flatMap((mode) => [[mode, 4] as const, [mode, 6] as const]);
const PORTS = Array.from({ length: 60 }, (_, index) => 40_000 + index);

type Family = 4 | 6;

/** Connections by way of node 0, each from a port of its own; the pod of each. */
function open(cluster: DsrCluster, family: Family): Map<number, number> {
  return new Map(
    PORTS.map((sourcePort) => {
      const { pod } = cluster.request(0, family, { sourcePort, flags: SYN });
      cluster.reply(pod!, family, { destinationPort: sourcePort, flags: SYN_ACK });
      cluster.request(0, family, { sourcePort, flags: ACK });
      return [sourcePort, pod!];
    }),
  );
}

/** Where a client's next segments reach, by way of a node: more of them than tell whom they are for by themselves. */
function speak(cluster: DsrCluster, family: Family, node: number, sourcePort: number): (number | null)[] {
  return Array.from({ length: 6 }, () => cluster.request(node, family, { sourcePort, flags: PSH_ACK }).pod);
}

describe.each(CASES)("with %s over IPv%d, a connection that comes by another node in its middle", (mode, family) => {
  it("stays with its pod where others have come since", () => {
    const cluster = new DsrCluster(mode, 5, [0, 1]);
    const pods = open(cluster, family);
    cluster.serve([0, 1, 2, 3]);
    for (const [port, pod] of pods) expect(speak(cluster, family, 4, port)).toEqual(Array(6).fill(pod));
    // Not because nothing would have been chosen otherwise.
    const today = PORTS.map((port) => cluster.request(4, family, { sourcePort: port + 1000, flags: SYN }).pod!);
    expect(today.filter((pod) => pod >= 2).length).toBeGreaterThan(10);
  });

  it("stays with its pod over several changes, whichever node it comes by", () => {
    const cluster = new DsrCluster(mode, 5, [0, 1, 2]);
    const pods = open(cluster, family);
    for (const next of [
      [0, 1, 2, 3],
      [0, 1, 2, 3, 4],
      [1, 2, 3, 4],
      [0, 1, 2, 3, 4],
    ])
      cluster.serve(next);
    for (const [port, pod] of pods) {
      for (const node of [4, 1, 3, 2]) expect(speak(cluster, family, node, port)).toEqual(Array(6).fill(pod));
    }
  });

  it("stays with its pod for as long as it speaks", () => {
    const cluster = new DsrCluster(mode, 5, [0, 1]);
    const pods = open(cluster, family);
    cluster.serve([0, 1, 2, 3]);
    // More segments than a flow table has room for rows of one key.
    for (const port of PORTS.slice(0, 10)) {
      for (let turn = 0; turn < 20; turn++)
        expect(speak(cluster, family, 4, port)).toEqual(Array(6).fill(pods.get(port)));
    }
  });

  it("is answered as the VIP by whichever pod it has", () => {
    const cluster = new DsrCluster(mode, 4, [0, 1]);
    const pods = open(cluster, family);
    cluster.serve([0, 1, 2]);
    for (const [port, pod] of pods) {
      speak(cluster, family, 3, port);
      const answer = cluster.reply(pod, family, { destinationPort: port, flags: PSH_ACK });
      const at = family === 4 ? 26 : 22;
      const bytes = family === 4 ? 4 : 16;
      expect([...answer.subarray(at, at + bytes)]).toEqual([...addressBytes(VIPS[family])]);
      expect([...answer.subarray(at + bytes, at + 2 * bytes)]).toEqual([...addressBytes(CLIENT[family])]);
    }
  });

  it("stays with a pod whose node begins anew without its flows and spares its own pods at first", () => {
    const cluster = new DsrCluster(mode, 4, [0, 1, 2]);
    const pods = open(cluster, family);
    cluster.restart(1, [0, 2]);
    cluster.serve([0, 1, 2]);
    for (const [port, pod] of pods) {
      for (const node of [3, 1, 0]) expect(speak(cluster, family, node, port)).toEqual(Array(6).fill(pod));
    }
  });

  it("is sent on again by a node that began so, when it has looked on for long", () => {
    const cluster = new DsrCluster(mode, 5, [0, 1]);
    for (const node of [2, 3]) cluster.restart(node, [0, 1]);
    cluster.wait(SECONDS_TO_KNOW_ALL);
    const pods = open(cluster, family);
    cluster.serve([0, 1, 2, 3]);
    for (const [port, pod] of pods) expect(speak(cluster, family, 4, port)).toEqual(Array(6).fill(pod));
  });

  it("goes round all that may have it when nobody does, and no further", () => {
    const cluster = new DsrCluster(mode, 4, [0, 1]);
    cluster.serve([0, 1, 2]);
    for (const sourcePort of PORTS) {
      const { pod, nodes } = cluster.request(3, family, { sourcePort, flags: PSH_ACK });
      expect(pod).not.toBeNull();
      // The node that it came by, today's pod's, and that of the pod before.
      expect(nodes.length).toBeLessThanOrEqual(3);
    }
  });

  it("goes to today's pod when its own has gone", () => {
    const cluster = new DsrCluster(mode, 4, [0, 1]);
    const pods = open(cluster, family);
    cluster.serve([1, 2]);
    for (const [port, pod] of pods) {
      const reached = cluster.request(3, family, { sourcePort: port, flags: PSH_ACK }).pod;
      if (pod === 1) expect(reached).toBe(1);
      else expect([1, 2]).toContain(reached);
    }
  });
});

describe.each(CASES)("with %s over IPv%d, a client's port used again", (mode, family) => {
  it("gets today's pod where its last connection was sent on to another", () => {
    const cluster = new DsrCluster(mode, 5, [0, 1]);
    const last = open(cluster, family);
    cluster.serve([0, 1, 2, 3]);
    let others = 0;
    for (const [port, pod] of last) {
      speak(cluster, family, 4, port);
      // By node 0, so that neither node 4 nor today's pod's sees the end.
      cluster.request(0, family, { sourcePort: port, flags: FIN_ACK });
      cluster.reply(pod, family, { destinationPort: port, flags: FIN_ACK });
    }
    cluster.wait(4);
    cluster.endMovedFlows(4);
    for (const [port, pod] of last) {
      const now = cluster.request(4, family, { sourcePort: port, flags: SYN }).pod!;
      cluster.reply(now, family, { destinationPort: port, flags: SYN_ACK });
      expect(speak(cluster, family, 4, port)).toEqual(Array(6).fill(now));
      if (now !== pod) others++;
    }
    expect(others).toBeGreaterThan(5);
  });

  it("keeps its connection when somebody forges a SYN", () => {
    const cluster = new DsrCluster(mode, 5, [0, 1]);
    const pods = open(cluster, family);
    cluster.serve([0, 1, 2, 3]);
    for (const [port, pod] of pods) {
      speak(cluster, family, 4, port);
      cluster.request(4, family, { sourcePort: port, flags: SYN });
      expect(speak(cluster, family, 4, port)).toEqual(Array(6).fill(pod));
    }
  });

  it("does not meet its last connection at a node that traffic comes back to", () => {
    const cluster = new DsrCluster(mode, 4, [0, 1]);
    const last = open(cluster, family);
    // Node 0 is drained: the connections end by way of node 3, and begin anew there when there are other pods.
    for (const [port, pod] of last) {
      cluster.request(3, family, { sourcePort: port, flags: FIN_ACK });
      cluster.reply(pod, family, { destinationPort: port, flags: FIN_ACK });
      cluster.request(3, family, { sourcePort: port, flags: ACK });
    }
    cluster.wait(5);
    cluster.serve([0, 1, 2]);
    const now = new Map(
      PORTS.map((port) => {
        const { pod } = cluster.request(3, family, { sourcePort: port, flags: SYN });
        cluster.reply(pod!, family, { destinationPort: port, flags: SYN_ACK });
        return [port, pod!];
      }),
    );
    expect(PORTS.filter((port) => now.get(port) !== last.get(port)).length).toBeGreaterThan(5);
    cluster.endMovedFlows(0);
    for (const [port, pod] of now) expect(speak(cluster, family, 0, port)).toEqual(Array(6).fill(pod));
  });
});
