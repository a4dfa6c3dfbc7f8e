/** Flows of which a node sees one direction: their states, their rows, their way out after a change of routes. */
import { describe, expect, it } from "vitest";
import { FLOWS_OPENED } from "../src/dataplane/counters.ts";
import { FlowExpiry } from "../src/dataplane/expiry.ts";
import { Fib } from "../src/dataplane/fib.ts";
import { flowState } from "../src/dataplane/flow-state.ts";
import type { FlowTable } from "../src/dataplane/flow-table.ts";
import { Verdict } from "../src/dataplane/frame-batch.ts";
import { reroute } from "../src/dataplane/reroute.ts";
import { formatIpAddress, parseIpAddress } from "../src/net/ip-address.ts";
import { node, OTHER_VIPS, PODS, RECEIVER, RECEIVER_MAC, SENDER, SENDER_MAC, VIPS } from "./fixtures/dsr-nodes.ts";
import { clientSegment, podSegment } from "./fixtures/dsr-segments.ts";
import { segmentFrame } from "./fixtures/segments.ts";

const SYN = 0x02;
const ACK = 0x10;
const SYN_ACK = 0x12;
const PSH_ACK = 0x18;
const FIN_ACK = 0x11;
const RST = 0x04;

const request = (flags: number, destinationMac = SENDER_MAC) =>
  segmentFrame(clientSegment(4, { destinationMac, flags }));
const answer = (flags: number) => segmentFrame(podSegment(4, { flags }));

/** The live request row. */
function requestRow(flows: FlowTable): number {
  for (let row = 0; row < flows.words.length; row += flows.layout.words) {
    if (flows.isLive(row) && !flows.isReply(row)) return row;
  }
  throw new Error("no flow");
}

function state(flows: FlowTable): string {
  const row = requestRow(flows);
  return flowState(flows, row, flows.peer(row));
}

describe("the sender's flow", () => {
  it("opens, is established by the client's ACK, half-closes and is reset, without a reply in sight", () => {
    const sender = node(SENDER, { mode: "dsr-ipip" });
    const states = [SYN, ACK, FIN_ACK, RST].map((flags) => {
      sender.take(request(flags));
      return state(sender.flows4);
    });
    expect(states).toEqual(["opening", "established", "half-closed", "reset"]);
  });
});

describe("a client that uses its port again", () => {
  it("begins a flow after its FIN, though nobody saw whether the pod had closed too", () => {
    const sender = node(SENDER, { mode: "dsr-ipip" });
    for (const flags of [SYN, ACK, FIN_ACK]) sender.take(request(flags));
    expect(sender.take(request(SYN)).verdict).toBe(Verdict.Transmit);
    expect(state(sender.flows4)).toBe("opening");
  });

  it("gets a backend of today once it has been silent: another node would say the same in the flow's middle", () => {
    const sender = node(SENDER, { mode: "dsr-ipip" });
    const opened = () => sender.counters.totals[FLOWS_OPENED];
    for (const flags of [SYN, ACK, FIN_ACK]) sender.take(request(flags));
    sender.take(request(SYN), undefined, 102);
    expect(opened()).toBe(1);
    sender.take(request(FIN_ACK), undefined, 102);
    sender.take(request(SYN), undefined, 105);
    expect(opened()).toBe(2);
  });

  it("begins a flow with the request, where another node has seen its SYN: the pod's node hears of it", () => {
    const sender = node(SENDER, { mode: "dsr-opt" });
    for (const flags of [SYN, ACK, FIN_ACK]) sender.take(request(flags));
    const inTime = sender.take(request(PSH_ACK), undefined, 102);
    expect(state(sender.flows4)).toBe("half-closed");
    const later = sender.take(request(PSH_ACK), undefined, 105);
    expect(state(sender.flows4)).toBe("established");
    expect(later.frame.length - inTime.frame.length).toBe(8);
  });
});

describe("the receiver's flow", () => {
  /** Only the SYN carries an option: the rest of the requests goes to the pod without us. */
  function receiverAfterSyn() {
    const receiver = node(RECEIVER, { mode: "dsr-opt" });
    receiver.take(node(SENDER, { mode: "dsr-opt" }).take(request(SYN)).frame);
    return receiver;
  }

  it("is established when the pod says more than SYN-ACK", () => {
    const receiver = receiverAfterSyn();
    expect(state(receiver.flows4)).toBe("opening");
    receiver.take(answer(SYN_ACK), PODS);
    expect(state(receiver.flows4)).toBe("opening");
    receiver.take(answer(PSH_ACK), PODS);
    expect(state(receiver.flows4)).toBe("established");
  });

  it("is established when the pod has acknowledged more often than it repeats a SYN-ACK", () => {
    const receiver = receiverAfterSyn();
    for (let n = 0; n < 6; n++) receiver.take(answer(SYN_ACK), PODS);
    expect(state(receiver.flows4)).toBe("opening");
    receiver.take(answer(ACK), PODS);
    expect(state(receiver.flows4)).toBe("established");
  });

  it("has rows that find each other, and end together", () => {
    const { flows4, take } = receiverAfterSyn();
    const row = requestRow(flows4);
    const reply = flows4.peer(row);
    expect(flows4.isReply(reply)).toBe(true);
    expect(flows4.peer(reply)).toBe(row);
    take(answer(PSH_ACK), PODS, 150);
    const expiry = new FlowExpiry(flows4);
    expect(expiry.tick(1, 220)).toBe(0);
    expect(expiry.tick(1, 100 + 9000)).toBe(1);
    expect([flows4.isLive(row), flows4.isLive(reply)]).toEqual([false, false]);
  });
});

describe("a pod's node that sees its clients' SYNs only", () => {
  const VIP_BYTES = [198, 51, 100, 10];
  const from = ({ frame }: { readonly frame: Uint8Array }) => [...frame.subarray(26, 30)];

  function closedByPod() {
    const receiver = node(RECEIVER, { mode: "dsr-opt" });
    const syn = () => receiver.take(node(SENDER, { mode: "dsr-opt" }).take(request(SYN)).frame);
    syn();
    for (const flags of [SYN_ACK, PSH_ACK, FIN_ACK]) receiver.take(answer(flags), PODS);
    return { ...receiver, syn };
  }

  it("takes a connection by a port of which the pod has closed the last one for a new one", () => {
    const { take, flows4, syn } = closedByPod();
    expect(state(flows4)).toBe("half-closed");
    syn();
    expect(from(take(answer(SYN_ACK), PODS))).toEqual(VIP_BYTES);
    take(answer(PSH_ACK), PODS);
    expect(state(flows4)).toBe("established");
  });

  it("leaves the pod's answers to a client that has come past the gateways by such a port alone", () => {
    const { take, syn } = closedByPod();
    for (const flags of [SYN_ACK, PSH_ACK]) expect(take(answer(flags), PODS).verdict).toBe(Verdict.Pass);
    expect(syn().verdict).toBe(Verdict.Transmit);
    expect(from(take(answer(SYN_ACK), PODS))).toEqual(VIP_BYTES);
  });
});

describe("a node whose pods take no new flows", () => {
  it.each(["dsr-opt", "dsr-ipip", "dsr-gue", "dsr-geneve"] as const)(
    "serves one that a node has sent here which does not know it yet (%s)",
    (mode) => {
      const receiver = node(RECEIVER, { mode, draining: true });
      const sent = receiver.take(node(SENDER, { mode }).take(request(SYN)).frame);
      expect([sent.verdict, sent.port]).toEqual([Verdict.Transmit, PODS]);
    },
  );
});

describe("a flow that has lost its reply row", () => {
  // A client's port, used by way of two nodes one after the other: both flows have the same reply row, and one ends it.
  it.each([
    ["sent here by another node", () => node(SENDER, { mode: "dsr-opt" }).take(request(SYN)).frame],
    ["begun here", () => request(SYN, RECEIVER_MAC)],
  ])("begins anew with the client's next SYN, so that the pod's answer leaves as the VIP: one %s", (_title, syn) => {
    const receiver = node(RECEIVER, { mode: "dsr-opt" });
    const { flows4 } = receiver;
    expect(receiver.take(syn()).verdict).toBe(Verdict.Transmit);
    expect(flows4.withdraw(flows4.peer(requestRow(flows4)), 100)).toBe(true);
    expect(receiver.take(syn()).verdict).toBe(Verdict.Transmit);
    const answered = receiver.take(answer(SYN_ACK), PODS);
    expect(answered.verdict).toBe(Verdict.Transmit);
    expect([...answered.frame.subarray(26, 30)]).toEqual([198, 51, 100, 10]);
  });
});

describe("a client that comes to one pod from one port by two VIPs", () => {
  /** The source address of a frame: first byte, last byte. */
  const SOURCE = { 4: [26, 30], 6: [22, 38] } as const;

  /** The pod's node, and what each side sends: through the sender, which tells for whom it is. */
  function pod(mode: "dsr-opt" | "dsr-geneve" | "dsr-ipip", family: 4 | 6) {
    const receiver = node(RECEIVER, { mode });
    const sender = node(SENDER, { mode });
    const ask = (vips: typeof VIPS | typeof OTHER_VIPS, flags: number, now: number) => {
      const segment = clientSegment(family, { destinationMac: SENDER_MAC, flags, destination: vips[family] });
      return receiver.take(sender.take(segmentFrame(segment), undefined, now).frame, undefined, now);
    };
    /** The source of the pod's answer, as the client sees it. */
    const answered = (flags: number, now: number) => {
      const { frame } = receiver.take(segmentFrame(podSegment(family, { flags })), PODS, now);
      const value = BigInt(`0x${Buffer.from(frame.subarray(...SOURCE[family])).toString("hex")}`);
      return formatIpAddress({ family, value });
    };
    return { ask, answered };
  }

  const KINDS = (["dsr-opt", "dsr-geneve", "dsr-ipip"] as const).flatMap((mode) => [
    [mode, 4] as const,
    [mode, 6] as const,
  ]);

  it.each(KINDS)(
    "is answered as the VIP of its last SYN, when the one before came to nothing (%s, IPv%i)",
    (mode, family) => {
      const { ask, answered } = pod(mode, family);
      expect(ask(VIPS, SYN, 100).verdict).toBe(Verdict.Transmit);
      // A pod that has just had a connection from that port answers like this, and the client begins anew.
      expect(answered(ACK, 100)).toBe(VIPS[family]);
      expect(ask(OTHER_VIPS, SYN, 101).verdict).toBe(Verdict.Transmit);
      expect(answered(SYN_ACK, 101)).toBe(OTHER_VIPS[family]);
    },
  );

  it.each(KINDS)("may use its port again at once when both sides have closed (%s, IPv%i)", (mode, family) => {
    const { ask, answered } = pod(mode, family);
    ask(VIPS, SYN, 100);
    answered(SYN_ACK, 100);
    ask(VIPS, ACK, 100);
    answered(FIN_ACK, 100);
    ask(VIPS, FIN_ACK, 100);
    expect(ask(OTHER_VIPS, SYN, 100).verdict).toBe(Verdict.Transmit);
    expect(answered(SYN_ACK, 100)).toBe(OTHER_VIPS[family]);
  });

  it.each(KINDS)("does not disturb the connection that it has, however silent (%s, IPv%i)", (mode, family) => {
    const { ask, answered } = pod(mode, family);
    ask(VIPS, SYN, 100);
    answered(SYN_ACK, 100);
    ask(VIPS, ACK, 100);
    answered(PSH_ACK, 100);
    expect(ask(OTHER_VIPS, SYN, 400)).toMatchObject({ verdict: Verdict.Drop, reason: "TupleCollision" });
    expect(answered(PSH_ACK, 400)).toBe(VIPS[family]);
  });
});

describe("a change of routes", () => {
  const route = (destination: string, prefixLength: number, port: number, gateway: string | null = null) => ({
    destination: parseIpAddress(destination)!,
    prefixLength,
    gateway: gateway === null ? null : parseIpAddress(gateway),
    port,
  });

  it("moves a tunnel by the address that it goes to, not by the client's packet inside", () => {
    const sender = node(SENDER, { mode: "dsr-ipip" });
    sender.take(request(SYN));
    const { flows4, pipeline } = sender;
    const fib = Fib.build([route("0.0.0.0", 0, PODS), route("10.1.0.0", 16, 0, "10.1.0.2")]);
    expect(reroute(flows4, fib, pipeline.neighbors, pipeline.table)).toBe(1);
    const moved = sender.take(request(ACK));
    expect([...moved.frame.subarray(0, 6)]).toEqual([2, 0, 0, 0, 0, 2]);
  });
});
