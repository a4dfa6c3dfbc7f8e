/** The states of flows, as the frames of both sides make them, and how long each may be silent (RFC 5382, RFC 7857). */
import { describe, expect, it } from "vitest";
import { DROP_REASONS } from "../src/dataplane/drop-reason.ts";
import { FlowExpiry } from "../src/dataplane/expiry.ts";
import { flowState } from "../src/dataplane/flow-state.ts";
import { Verdict } from "../src/dataplane/frame-batch.ts";
import { BACKEND, BACKEND_MAC, gateway, LAN, LAN_MAC, ROUTER_MAC, VIP, WAN, WAN_MAC } from "./fixtures/gateway.ts";
import { sctpFrame } from "./fixtures/sctp.ts";
import { segmentFrame } from "./fixtures/segments.ts";

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;
const SYN_ACK = SYN | ACK;
const FIN_ACK = FIN | ACK;
const PSH_ACK = 0x18;
const CLIENT = "203.0.113.10";
/** Another VIP with the same backends. */
const OTHER_VIP = "198.18.0.0";
const TCP = 6;
const UDP = 17;
const SCTP = 132;

interface Sent {
  readonly verdict: number;
  readonly reason: string;
  /** Source and destination of what left, as text. */
  readonly from: string;
  readonly to: string;
}

/** A gateway with two backends that is fed one frame at a time, and its clock. */
function network(backends: readonly string[] = [BACKEND]) {
  const built = gateway(1, 1 << 14, 1024, backends, { vips: 1 });
  const { batch, pipeline, bytes, flows4 } = built;
  const expiry = new FlowExpiry(flows4);
  let now = 1000;
  function send(frame: Uint8Array, port: number): Sent {
    bytes.set(frame, 256);
    batch.holdOne(256, frame.length, port);
    pipeline.run(now);
    const out = batch.offset[0]!;
    const [from, to] = [26, 30].map((at) => [...bytes.subarray(out + at, out + at + 4)].join("."));
    return { verdict: batch.verdict[0]!, reason: DROP_REASONS[batch.reason[0]!]!, from: from!, to: to! };
  }
  const there = { source: CLIENT, destination: VIP, sourcePort: 40000, destinationPort: 80 };
  const back = { source: BACKEND, destination: CLIENT, sourcePort: 8080, destinationPort: 40000 };
  const wan = { destinationMac: WAN_MAC, sourceMac: ROUTER_MAC };
  const lan = { destinationMac: LAN_MAC, sourceMac: BACKEND_MAC };
  return {
    ...built,
    client: (flags: number, destination = VIP) =>
      send(segmentFrame({ ...wan, ...there, destination, protocol: "TCP", flags }), WAN),
    server: (flags: number, source = BACKEND) =>
      send(segmentFrame({ ...lan, ...back, source, protocol: "TCP", flags }), LAN),
    ask: () => send(segmentFrame({ ...wan, ...there, protocol: "UDP" }), WAN),
    answer: () => send(segmentFrame({ ...lan, ...back, protocol: "UDP" }), LAN),
    clientChunk: (chunk: number) => send(sctpFrame({ ...wan, ...there, chunk }), WAN),
    serverChunk: (chunk: number) => send(sctpFrame({ ...lan, ...back, chunk }), LAN),
    /** Lets time pass, with the sweeps that belong to it. */
    wait(seconds: number) {
      now += seconds;
      expiry.tick(1, now);
    },
    /** The state of the one flow; `null` when there is none. */
    state(protocol = TCP) {
      for (let row = 0; row < flows4.words.length; row += flows4.layout.words) {
        const isOurs = (flows4.words[row + flows4.layout.tag]! & 0xff) === protocol;
        if (isOurs && flows4.isLive(row) && !flows4.isReply(row)) return flowState(flows4, row, flows4.peer(row));
      }
      return null;
    },
  };
}

function handshake(backends?: readonly string[]) {
  const net = network(backends);
  net.client(SYN);
  net.server(SYN_ACK);
  net.client(ACK);
  return net;
}

describe("a TCP flow", () => {
  it("is established by the handshake, and stays so for the 2 h 4 min of RFC 5382 without a word", () => {
    const net = network();
    net.client(SYN);
    expect(net.state()).toBe("opening");
    net.server(SYN_ACK);
    expect(net.state()).toBe("opening");
    net.client(ACK);
    expect(net.state()).toBe("established");
    net.wait(7440);
    expect(net.state()).toBe("established");
    net.wait(561);
    expect(net.state()).toBeNull();
  });

  it("is established by a simultaneous open as well (RFC 9293 §3.5)", () => {
    const net = network();
    net.client(SYN);
    expect(net.server(SYN).verdict).toBe(Verdict.Transmit);
    expect(net.state()).toBe("opening");
    net.client(SYN_ACK);
    net.server(SYN_ACK);
    expect(net.state()).toBe("established");
  });

  it("that nobody answers ends after a minute, and so does one that is refused", () => {
    const silent = network();
    silent.client(SYN);
    silent.wait(59);
    expect(silent.state()).toBe("opening");
    silent.wait(2);
    expect(silent.state()).toBeNull();
    const refused = network();
    refused.client(SYN);
    refused.server(RST | ACK);
    expect(refused.state()).toBe("opening");
    refused.wait(61);
    expect(refused.state()).toBeNull();
  });

  it("half-closed goes on in the other direction for as long as that speaks, four minutes at a time", () => {
    const net = handshake();
    net.client(FIN_ACK);
    expect(net.state()).toBe("half-closed");
    for (let minutes = 0; minutes < 30; minutes += 3) {
      net.wait(180);
      expect(net.server(ACK).verdict).toBe(Verdict.Transmit);
    }
    net.wait(239);
    expect(net.state()).toBe("half-closed");
    net.wait(2);
    expect(net.state()).toBeNull();
  });

  it("closed by both keeps its rows for a TIME-WAIT, so its last ACK is still translated", () => {
    const net = handshake();
    net.client(FIN_ACK);
    net.server(FIN_ACK);
    expect(net.state()).toBe("closed");
    net.wait(58);
    expect(net.client(ACK).verdict).toBe(Verdict.Transmit);
    net.wait(61);
    expect(net.state()).toBeNull();
  });

  it("closed by both opens anew at a SYN in its TIME-WAIT", () => {
    const net = handshake();
    net.client(FIN_ACK);
    net.server(FIN_ACK);
    net.wait(5);
    expect(net.client(SYN)).toMatchObject({ verdict: Verdict.Transmit, to: BACKEND });
    expect(net.state()).toBe("opening");
    net.server(SYN_ACK);
    net.client(ACK);
    expect(net.state()).toBe("established");
  });

  it("closed by both makes way for a connection whose SYN another node has seen, though not for what is sent again", () => {
    const net = handshake();
    net.client(FIN_ACK);
    net.server(FIN_ACK);
    net.client(PSH_ACK);
    expect(net.state()).toBe("closed");
    net.wait(3);
    expect(net.client(PSH_ACK).verdict).toBe(Verdict.Transmit);
    expect(net.state()).toBe("opening");
    net.server(ACK);
    expect(net.state()).toBe("established");
  });

  it("that the client alone has closed, which may be forged, stays what it is", () => {
    const net = handshake();
    net.client(FIN_ACK);
    net.wait(10);
    net.client(PSH_ACK);
    expect(net.state()).toBe("half-closed");
  });
});

describe("a RST", () => {
  it("ends nothing at once: the flow has four minutes", () => {
    const net = handshake();
    net.client(RST);
    expect(net.state()).toBe("reset");
    net.wait(239);
    expect(net.state()).toBe("reset");
    net.wait(2);
    expect(net.state()).toBeNull();
  });

  it("that was forged is forgotten with the next segment of the side that it named", () => {
    for (const side of ["client", "server"] as const) {
      const net = handshake();
      net[side](RST);
      net.wait(200);
      expect(net[side](ACK).verdict).toBe(Verdict.Transmit);
      expect(net.state()).toBe("established");
      net.wait(7000);
      expect(net.client(ACK).verdict).toBe(Verdict.Transmit);
    }
  });

  it("that was forged does not part an idle client from its backend: its next segment begins the flow anew there", () => {
    const backends = ["10.2.0.2", "10.2.0.3", "10.2.0.4"];
    const net = network(backends);
    const { to } = net.client(SYN);
    net.server(SYN_ACK, to);
    net.client(ACK);
    net.client(RST);
    net.wait(3600);
    expect(net.state()).toBeNull();
    expect(net.client(ACK)).toMatchObject({ verdict: Verdict.Transmit, to });
    expect(net.server(ACK, to)).toMatchObject({ verdict: Verdict.Transmit, to: CLIENT });
  });

  it("is not forgotten because the other side's segments are still on their way", () => {
    const net = handshake();
    net.client(RST);
    net.server(ACK);
    expect(net.state()).toBe("reset");
  });

  it("and a SYN, both forged, do not move the flow to another backend", () => {
    const backends = ["10.2.0.2", "10.2.0.3", "10.2.0.4"];
    const net = network(backends);
    const { to } = net.client(SYN);
    net.server(SYN_ACK, to);
    net.client(ACK);
    net.client(RST);
    expect(net.client(SYN).to).toBe(to);
    expect(net.client(ACK).to).toBe(to);
  });

  it("does not open a flow", () => {
    expect(network().client(RST)).toMatchObject({ verdict: Verdict.Drop, reason: "NoStateForSegment" });
  });
});

describe("a UDP flow", () => {
  it("lasts half a minute until it is answered, two minutes from then on", () => {
    const net = network();
    net.ask();
    expect(net.state(UDP)).toBe("unreplied");
    net.wait(29);
    net.ask();
    net.wait(29);
    expect(net.state(UDP)).toBe("unreplied");
    net.answer();
    expect(net.state(UDP)).toBe("replied");
    net.wait(119);
    expect(net.state(UDP)).toBe("replied");
    net.wait(2);
    expect(net.state(UDP)).toBeNull();
  });
});

describe("an SCTP association", () => {
  const INIT = 1;
  const INIT_ACK = 2;
  const ABORT = 6;
  const SHUTDOWN = 7;
  const SHUTDOWN_ACK = 8;
  const COOKIE_ECHO = 10;
  const COOKIE_ACK = 11;
  const SHUTDOWN_COMPLETE = 14;
  const HEARTBEAT = 4;

  function associated() {
    const net = network();
    net.clientChunk(INIT);
    expect(net.state(SCTP)).toBe("opening");
    net.serverChunk(INIT_ACK);
    net.clientChunk(COOKIE_ECHO);
    net.serverChunk(COOKIE_ACK);
    expect(net.state(SCTP)).toBe("established");
    return net;
  }

  it("is established by the four-way handshake and kept by heartbeats", () => {
    const net = associated();
    for (let minutes = 0; minutes < 10; minutes += 3) {
      net.wait(180);
      expect(net.clientChunk(HEARTBEAT).verdict).toBe(Verdict.Transmit);
    }
    net.wait(211);
    expect(net.state(SCTP)).toBeNull();
  });

  it("is closed by SHUTDOWN, SHUTDOWN-ACK and SHUTDOWN-COMPLETE, all of them translated", () => {
    const net = associated();
    net.clientChunk(SHUTDOWN);
    expect(net.state(SCTP)).toBe("half-closed");
    net.serverChunk(SHUTDOWN_ACK);
    expect(net.clientChunk(SHUTDOWN_COMPLETE).verdict).toBe(Verdict.Transmit);
    expect(net.state(SCTP)).toBe("closed");
    net.wait(61);
    expect(net.state(SCTP)).toBeNull();
  });

  it("survives a forged ABORT as TCP does a RST", () => {
    const net = associated();
    net.serverChunk(ABORT);
    expect(net.state(SCTP)).toBe("reset");
    net.serverChunk(HEARTBEAT);
    expect(net.state(SCTP)).toBe("established");
  });

  it("is not opened by an ABORT", () => {
    expect(network().clientChunk(ABORT).reason).toBe("NoStateForSegment");
  });
});

describe("a client that has used a port to a VIP, and from it now speaks to the same backend directly", () => {
  const closings = {
    "both sides' FIN": [
      ["client", FIN_ACK],
      ["server", FIN_ACK],
    ],
    "the client's RST": [["client", RST]],
    "the backend's RST": [["server", RST | ACK]],
  } as const;

  it.each(Object.entries(closings))("gets the backend's own answers after %s", (_title, closing) => {
    const net = handshake();
    for (const [side, flags] of closing) net[side](flags);
    // Its SYN does not come by here.
    expect(net.server(SYN_ACK)).toMatchObject({ verdict: Verdict.Pass, reason: "NotOurAddress", from: BACKEND });
    expect(net.server(PSH_ACK)).toMatchObject({ verdict: Verdict.Pass, from: BACKEND });
    expect(net.server(FIN_ACK)).toMatchObject({ verdict: Verdict.Pass, from: BACKEND });
  });

  it("may go back to the VIP", () => {
    const net = handshake();
    net.client(FIN_ACK);
    net.server(FIN_ACK);
    net.server(SYN_ACK);
    expect(net.client(SYN)).toMatchObject({ verdict: Verdict.Transmit, to: BACKEND });
    expect(net.server(SYN_ACK)).toMatchObject({ verdict: Verdict.Transmit, from: VIP });
    net.client(ACK);
    expect(net.state()).toBe("established");
  });

  it("waits for the end of a connection that lives: of that one the backend may repeat its answer", () => {
    const net = handshake();
    expect(net.server(SYN_ACK)).toMatchObject({ verdict: Verdict.Transmit, from: VIP });
    net.client(FIN_ACK);
    expect(net.server(SYN_ACK)).toMatchObject({ verdict: Verdict.Transmit, from: VIP });
  });

  it("is not taken for by the first answer to a SYN, though a RST has been forged meanwhile", () => {
    const net = network();
    net.client(SYN);
    net.client(RST);
    expect(net.server(SYN_ACK)).toMatchObject({ verdict: Verdict.Transmit, from: VIP });
  });

  it("is not taken for by the answer to a SYN that begins the connection anew after a RST", () => {
    const net = handshake();
    net.client(RST);
    net.client(SYN);
    expect(net.server(SYN_ACK)).toMatchObject({ verdict: Verdict.Transmit, from: VIP });
  });

  it("is told from an association over SCTP by its INIT-ACK", () => {
    const net = network();
    const closed = [net.clientChunk(1), net.serverChunk(2), net.clientChunk(7), net.serverChunk(8)];
    expect(closed.map(({ verdict }) => verdict)).toEqual(Array(4).fill(Verdict.Transmit));
    expect(net.serverChunk(2)).toMatchObject({ verdict: Verdict.Pass, from: BACKEND });
  });
});

describe("a client that comes to one backend from one port by two VIPs", () => {
  it("keeps the connection that it has, and begins the other one when that is over", () => {
    const net = handshake();
    net.wait(3600);
    expect(net.client(SYN, OTHER_VIP)).toMatchObject({ verdict: Verdict.Drop, reason: "TupleCollision" });
    expect(net.server(PSH_ACK)).toMatchObject({ verdict: Verdict.Transmit, from: VIP });
    net.client(FIN_ACK);
    expect(net.client(SYN, OTHER_VIP)).toMatchObject({ verdict: Verdict.Drop, reason: "TupleCollision" });
    net.server(FIN_ACK);
    expect(net.client(SYN, OTHER_VIP).verdict).toBe(Verdict.Transmit);
    expect(net.server(SYN_ACK)).toMatchObject({ verdict: Verdict.Transmit, from: OTHER_VIP });
  });

  it("is not held up by a connection that nobody answers", () => {
    const net = network();
    net.client(SYN);
    expect(net.client(SYN, OTHER_VIP)).toMatchObject({ verdict: Verdict.Drop, reason: "TupleCollision" });
    net.wait(1);
    expect(net.client(SYN, OTHER_VIP).verdict).toBe(Verdict.Transmit);
    expect(net.server(SYN_ACK)).toMatchObject({ verdict: Verdict.Transmit, from: OTHER_VIP });
  });
});
