import { expect, test } from "vitest";
import type { PeerStatus } from "../bgp/speaker-spec.ts";
import type { ServiceExplanation } from "./explain-service.ts";
import { withLiveSessions } from "./live-sessions.ts";

const SINCE = Date.UTC(2026, 0, 2, 10, 0, 0);
const route = { prefix: "192.168.10.100/32" };
const session = (peer: string, routes: readonly object[]) => ({ peer, routes, because: null, trouble: null });
const explanation = {
  nodes: {
    n1: {
      notEligible: null,
      sessions: [session("up", [route]), session("down", [route]), session("idle", [])],
      links: [],
    },
    n2: { notEligible: null, sessions: [session("down", [route])], links: [] },
  },
} as unknown as ServiceExplanation;
const peer = (name: string, over: object) => ({
  name,
  downSinceMilliseconds: null,
  lastError: null,
  hint: null,
  ...over,
});

test("a session that is down and has a route to tell says since when, why and what to do; others are as they were", () => {
  const down = { state: "Active", downSinceMilliseconds: SINCE, lastError: "Bad Peer AS", hint: "another AS" };
  const peers = [peer("up", { state: "Established" }), peer("down", down), peer("idle", down)] as PeerStatus[];
  const { nodes } = withLiveSessions(explanation, "n1", peers);
  expect(nodes["n1"]!.sessions.map(({ trouble }) => trouble)).toEqual([
    null,
    { state: "Active", since: "2026-01-02T10:00:00.000Z", why: "Bad Peer AS", hint: "another AS" },
    null,
  ]);
  expect(nodes["n2"]).toBe(explanation.nodes["n2"]);
});

test("a node without sessions, or one that is not there, changes nothing", () => {
  expect(withLiveSessions(explanation, "n1", []).nodes["n1"]!.sessions[1]!.trouble).toBeNull();
  expect(withLiveSessions(explanation, "n3", [])).toBe(explanation);
});
