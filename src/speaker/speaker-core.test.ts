/** Speakers in this process, talking over the loopback interface. */
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { CONFIG, peer, route } from "../../test/fixtures/bgp-peers.ts";
import { type DeclaredSpec, declared } from "../bgp/declared-spec.ts";
import type { Notification } from "../bgp/message.ts";
import { INITIAL_WIRE_SESSION } from "../bgp/message.ts";
import { decodeMessage, encodeMessage } from "../bgp/message-codec.ts";
import { MessageFramer } from "../bgp/message-framer.ts";
import { openFor, type SessionConfig } from "../bgp/negotiation.ts";
import { describeNotification } from "../bgp/notification.ts";
import type { InstanceSpec, PeerSpec } from "../bgp/speaker-spec.ts";
import { SpeakerCore } from "./speaker-core.ts";
import type { SpeakerEvent } from "./speaker-event.ts";

const ROUTER: SessionConfig = { ...CONFIG, localAsn: 65001, peerAsn: 65000, holdTimeSeconds: 0 };
const LEFT = "127.0.0.1";
const RIGHT = "127.0.0.2";

const running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});

function speaker(): { core: SpeakerCore; events: SpeakerEvent[] } {
  const core = new SpeakerCore({ restarting: false });
  const events: SpeakerEvent[] = [];
  core.onEvent((event) => events.push(event));
  running.push({ stop: () => core.stop({ cease: true }) });
  return { core, events };
}

function instance(localAsn: number, routerId: string, listenPort: number | null, ...peers: PeerSpec[]): DeclaredSpec {
  const one: InstanceSpec = { localAsn, routerId, listenPort, peers };
  return declared({ instances: [one] });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (holds()) return;
    await sleep(10);
  }
  throw new Error(`in vain: ${what}`);
}

const state = (core: SpeakerCore) => core.status()[0]?.state;

/** A free port, found by taking it for a moment. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The left speaker connects from 127.0.0.1 to the right one, which listens; `both` makes both connect and listen. */
async function pair(both: boolean, rightId = "10.0.0.2") {
  const ports = { left: await freePort(), right: await freePort() };
  const left = speaker();
  const right = speaker();
  const toRight = peer({ name: "right", address: RIGHT, port: ports.right, asn: 65001, localAddress: LEFT });
  // Nobody answers on port 1: the right side's own attempts are refused, it lives on the left one's connection.
  const toLeft = {
    ...toRight,
    name: "left",
    address: LEFT,
    port: both ? ports.left : 1,
    asn: 65000,
    localAddress: RIGHT,
  };
  const leftSpec = (...peers: PeerSpec[]) => instance(65000, "10.0.0.1", both ? ports.left : null, ...peers);
  const rightSpec = (...peers: PeerSpec[]) => instance(65001, rightId, ports.right, ...peers);
  if (both) {
    // Both listen before either of them connects, so that their connections cross.
    await right.core.apply(rightSpec());
    await left.core.apply(leftSpec());
  }
  await right.core.apply(rightSpec(toLeft));
  await left.core.apply(leftSpec({ ...toRight, routes: [route("10.1.0.0/16", { nextHop: LEFT })] }));
  await until("both are Established", () => state(left.core) === "Established" && state(right.core) === "Established");
  return { left, right, toLeft, toRight, leftSpec, rightSpec };
}

describe("two speakers", () => {
  test("exchange routes, and a changed declaration changes only the routes", async () => {
    const { left, right, toRight, leftSpec } = await pair(false);
    await until("the route is there", () => right.core.status()[0]!.routesReceived === 1);
    expect(right.core.received("left")).toMatchObject([
      { prefix: "10.1.0.0/16", nextHop: LEFT, asPath: [{ kind: "sequence", asns: [65000] }] },
    ]);
    const routes = [route("10.2.0.0/16", { nextHop: LEFT })];
    await left.core.apply(leftSpec({ ...toRight, routes, connectRetrySeconds: 60 }));
    await until("the other route is there", () => right.core.received("left")[0]?.prefix === "10.2.0.0/16");
    expect(left.core.advertised("right").map((one) => one.prefix)).toEqual(["10.2.0.0/16"]);
    expect(left.core.status()[0]!.timesEstablished).toBe(1);
  });

  test.each(["10.0.0.2", "9.0.0.2"])(
    "whose connections cross end with one session (identifier %s)",
    async (rightId) => {
      const { left, right } = await pair(true, rightId);
      await sleep(300);
      expect([state(left.core), state(right.core)]).toEqual(["Established", "Established"]);
      expect([left, right].map(({ core }) => core.status()[0]!.timesEstablished)).toEqual([1, 1]);
      await until("the route is there", () => right.core.status()[0]!.routesReceived === 1);
    },
  );

  test("part with words when one removes the other, and only that one", async () => {
    const { left, right, leftSpec } = await pair(false);
    await left.core.apply(leftSpec());
    await until("the session is over", () => state(right.core) !== "Established");
    const ended = right.events.find((event) => event.from === "Established");
    expect(ended?.words).toBe(
      'the peer closed the session: Cease/Administrative Shutdown: "removed from the configuration"',
    );
    expect(left.core.status()).toEqual([]);
  });

  test("a changed AS number resets the session with the reason", async () => {
    const { left, right, toRight, leftSpec } = await pair(false);
    await left.core.apply(leftSpec({ ...toRight, asn: 0 }));
    await until("the session is over", () => right.events.some((event) => event.from === "Established"));
    const ended = right.events.find((event) => event.from === "Established");
    expect(ended?.words).toContain("Cease/Other Configuration Change");
    await until("it is back", () => left.core.status()[0]!.timesEstablished === 2);
  });
});

describe("a speaker without a partner", () => {
  test("says in words that nobody listens, and keeps trying", async () => {
    const port = await freePort();
    const { core } = speaker();
    await core.apply(instance(65000, "10.0.0.1", null, peer({ address: LEFT, port })));
    await until("an error", () => core.status()[0]!.lastError !== null);
    expect(core.status()[0]!.lastError).toBe(`connection to ${LEFT}:${port} refused: no BGP speaker listens there`);
  });

  test("refuses a peer with a password when it cannot sign", async () => {
    const { core } = speaker();
    await core.apply(instance(65000, "10.0.0.1", null, peer({ address: LEFT, password: "secret" })));
    await until("an error", () => core.status()[0]!.lastError !== null);
    expect(core.status()[0]!.lastError).toBe("TCP MD5 needs the native addon, which is not loaded");
  });

  test("names a local address that is not on this node", async () => {
    const { core } = speaker();
    await core.apply(instance(65000, "10.0.0.1", null, peer({ address: LEFT, localAddress: "192.0.2.7" })));
    await until("an error", () => core.status()[0]!.lastError !== null);
    expect(core.status()[0]!.lastError).toBe("local address 192.0.2.7 is not on this node");
  });

  test("refuses a spec with an impossible router ID and changes nothing", async () => {
    const { core } = speaker();
    await expect(core.apply(instance(65000, "nonsense", null, peer()))).rejects.toThrow("router ID nonsense");
    expect(core.status()).toEqual([]);
  });

  test("says so when its port is taken", async () => {
    const port = await freePort();
    const first = speaker();
    await first.core.apply(instance(65000, "10.0.0.1", port));
    await expect(speaker().core.apply(instance(65000, "10.0.0.1", port))).rejects.toThrow("another BGP speaker");
  });
});

describe("a peer that misbehaves", () => {
  test("gets the NOTIFICATION although it had sent more than we read", async () => {
    let heard: Notification | null = null;
    const port = await listening((socket) => {
      const framer = new MessageFramer();
      socket.on("data", (chunk: Uint8Array) => {
        framer.push(
          chunk,
          () => INITIAL_WIRE_SESSION,
          (octets) => {
            const { message } = decodeMessage(octets as Uint8Array, INITIAL_WIRE_SESSION);
            if (message?.type === "NOTIFICATION") heard = message;
            return true;
          },
        );
      });
      socket.write(Buffer.alloc(100_000));
    });
    const { core } = speaker();
    await core.apply(instance(65000, "10.0.0.1", null, peer({ address: LEFT, port })));
    await until("a NOTIFICATION", () => heard !== null);
    expect(describeNotification(heard!)).toBe("Message Header Error/Connection Not Synchronized");
    expect(core.status()[0]!.lastError).toContain("the marker is not all ones");
  });
});

describe("a peer of ours that changes its mind", () => {
  test("is shut down with a text, stays so, and comes back when the text is taken away", async () => {
    const { left, right, toRight, leftSpec } = await pair(false);
    await left.core.apply(leftSpec({ ...toRight, shutdown: "node drain" }));
    await until("the session is over", () => right.events.some((event) => event.from === "Established"));
    const ended = right.events.find((event) => event.from === "Established");
    expect(ended?.words).toBe('the peer closed the session: Cease/Administrative Shutdown: "node drain"');
    await sleep(100);
    expect(left.core.status()[0]).toMatchObject({
      state: "Idle",
      lastError: "switched off by the configuration: node drain",
    });
    await left.core.apply(leftSpec(toRight));
    await until("it is back", () => state(left.core) === "Established");
  });

  test("changes timers, routes and the graceful shutdown without a reset", async () => {
    const { left, right, toRight, leftSpec } = await pair(false);
    const routes = [route("10.1.0.0/16", { nextHop: LEFT })];
    const changed = { ...toRight, routes, holdTimeSeconds: 30, gracefulRestartSeconds: 60, maxPrefixes: 10 };
    await left.core.apply(leftSpec({ ...changed, gracefulShutdown: true }));
    await until("the mark is there", () => right.core.received("left")[0]?.communities.includes("65535:0") ?? false);
    expect(left.core.status()[0]!.timesEstablished).toBe(1);
  });

  test("has a session of each instance of ours with the same router", async () => {
    const port = await freePort();
    const right = speaker();
    const left = speaker();
    const base = peer({ address: RIGHT, port, asn: 65001, localAddress: LEFT });
    const other = { ...base, localAddress: "127.0.0.3" };
    const waiting = { passive: true, localAddress: null, port: 1 };
    const ofRight = [
      { ...peer({ name: "one", address: LEFT, asn: 65000 }), ...waiting },
      { ...peer({ name: "two", address: "127.0.0.3", asn: 65010 }), ...waiting },
    ];
    await right.core.apply(instance(65001, "10.0.0.2", port, ...ofRight));
    await left.core.apply({
      instances: [
        ...instance(65000, "10.0.0.1", null, base).instances,
        ...instance(65010, "10.0.0.9", null, other).instances,
      ],
    });
    const states = () => left.core.status().map((one) => one.state);
    await until("both are Established", () => states().every((one) => one === "Established"));
    expect(right.core.status().map((one) => one.asn)).toEqual([65000, 65010]);
  });
});

describe("a peer that takes nothing", () => {
  test("is given up when the send hold time is over (RFC 9687)", async () => {
    const open = encodeMessage(openFor(ROUTER), INITIAL_WIRE_SESSION);
    const keepalive = encodeMessage({ type: "KEEPALIVE" }, INITIAL_WIRE_SESSION);
    const again = encodeMessage({ type: "ROUTE-REFRESH", afi: 1, safi: 1, subtype: 0 }, INITIAL_WIRE_SESSION);
    const port = await listening((socket) => {
      socket.write(Buffer.concat([open, keepalive]));
      socket.once("data", () => socket.pause());
      // Each answer is 50 kB: soon no buffer between the two has room any more.
      setTimeout(() => socket.write(Buffer.concat(Array.from({ length: 400 }, () => again))), 200);
    });
    const { core, events } = speaker();
    const routes = Array.from({ length: 10_000 }, (_, i) => route(`20.0.${i >>> 8}.${i & 255}/32`));
    const deaf = peer({ address: LEFT, port, holdTimeSeconds: 0, routes, sendHoldSeconds: 1 });
    await core.apply(instance(65000, "10.0.0.1", null, deaf));
    await until("it is given up", () => events.some((event) => event.from === "Established"));
    expect(events.find((event) => event.from === "Established")?.words).toContain("send hold timer expired");
  });
});

async function listening(take: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    take(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, LEFT, resolve));
  running.push({
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return (server.address() as { port: number }).port;
}
