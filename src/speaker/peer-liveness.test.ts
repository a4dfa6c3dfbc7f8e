/** What a session hears of its peer through a system that the test plays. */
import { expect, test } from "vitest";
import type { BfdSpec } from "../bgp/speaker-spec.ts";
import { PeerLiveness } from "./peer-liveness.ts";
import { type BfdListener, type FoundPeer, PLAIN_PLATFORM, type Platform } from "./platform.ts";

const SPEC: BfdSpec = { transmitMilliseconds: 50, receiveMilliseconds: 50, multiplier: 3 };
const PEER: FoundPeer = { address: "10.1.1.1", interfaceName: null };

function liveness(platform: Partial<Platform> = {}) {
  const heard: string[] = [];
  const watches: { listener: BfdListener; stopped: boolean }[] = [];
  let found: (peer: FoundPeer | null) => void = () => {};
  const system: Platform = {
    ...PLAIN_PLATFORM,
    watchBfd: (_question, listener) => {
      const watch = { listener, stopped: false };
      watches.push(watch);
      return {
        stop: () => {
          watch.stopped = true;
        },
      };
    },
    discover: (_discovery, report) => {
      found = report;
      return { stop() {} };
    },
    ...platform,
  };
  const one = new PeerLiveness(system, {
    onDown: (words) => heard.push(`down: ${words}`),
    onFound: (peer) => heard.push(`found: ${peer?.address ?? "nobody"}`),
    onProblem: (words) => heard.push(`problem: ${words}`),
  });
  return { one, heard, watches, report: (peer: FoundPeer | null) => found(peer) };
}

test("only a peer that was up can go down", () => {
  const { one, heard, watches } = liveness();
  one.watch(SPEC, PEER, "10.1.1.2");
  watches[0]!.listener("Init", "the peer answers");
  watches[0]!.listener("Down", "the peer lost us");
  expect(heard).toEqual([]);
  watches[0]!.listener("Up", "the peer answers");
  expect(one.bfdState).toBe("Up");
  watches[0]!.listener("Down", "the peer fell silent");
  expect(heard).toEqual(["down: the peer fell silent"]);
});

test("the same question is asked once; a changed one replaces the watch; none ends it", () => {
  const { one, watches } = liveness();
  one.watch(SPEC, PEER, null);
  expect(watches).toEqual([]);
  one.watch(SPEC, PEER, "10.1.1.2");
  one.watch({ ...SPEC }, PEER, "10.1.1.2");
  expect(watches).toHaveLength(1);
  one.watch({ ...SPEC, multiplier: 5 }, PEER, "10.1.1.2");
  expect(watches.map(({ stopped }) => stopped)).toEqual([true, false]);
  one.watch(null, PEER, "10.1.1.2");
  expect(watches.map(({ stopped }) => stopped)).toEqual([true, true]);
  expect(one.bfdState).toBeNull();
});

test("what keeps BFD from beginning is said in words", () => {
  const { one, heard, watches } = liveness();
  one.watch(SPEC, PEER, "10.1.1.2");
  watches[0]!.listener("AdminDown", "another BFD daemon runs on this node");
  expect(heard).toEqual(["problem: another BFD daemon runs on this node"]);
  const without = liveness({ watchBfd: null, discover: null });
  without.one.watch(SPEC, PEER, "10.1.1.2");
  without.one.discover({ kind: "default-gateway", family: "ipv4" });
  expect(without.heard).toHaveLength(2);
});

test("a found peer is told once, and again when it is another", () => {
  const { one, heard, report } = liveness();
  one.discover({ kind: "unnumbered", interfaceName: "eth0" });
  for (const peer of [null, PEER, PEER, { ...PEER, address: "10.1.1.9" }]) report(peer);
  expect(heard).toEqual(["found: nobody", "found: 10.1.1.1", "found: 10.1.1.9"]);
});
