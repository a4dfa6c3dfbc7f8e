/** A drain from its beginning to its end, with a speaker whose router does not answer. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { peer, route, spec } from "../../test/fixtures/bgp-peers.ts";
import { PATIENCE } from "../../test/fixtures/patience.ts";
import { Announcer, drained } from "./announcer.ts";

const SPEC = spec(peer({ address: "127.0.0.1", port: 9, routes: [route("192.0.2.1/32")] }));
const NOTHING: ReadonlySet<string> = new Set();
let announcer: Announcer;

beforeEach(async () => {
  announcer = new Announcer(null);
  await announcer.speaker.start();
});

afterEach(() => announcer.stop("cease"));

const words = async (prefix: string) => (await announcer.explain(prefix))[0]!.words[0];

test("marks first, withdraws after the grace time, and undrain takes it back", async () => {
  await announcer.announce(SPEC);
  // Longer than it takes to ask two things of a thread, however busy the machine is.
  await announcer.drain(2);
  expect(await announcer.progress()).toEqual({ state: "marked", secondsLeft: 2, routesAnnounced: 0, sessions: 0 });
  expect(await words("192.0.2.1/32")).toContain("not Established");
  await vi.waitUntil(() => announcer.drainState === "withdrawn", PATIENCE);
  expect(await words("192.0.2.1/32")).toContain("this node is drained");
  expect(await words("192.0.2.9/32")).toContain("is not among the routes");
  await announcer.undrain();
  expect(await words("192.0.2.1/32")).toContain("not Established");
});

test("a plan that comes while the node is drained is announced when the drain ends", async () => {
  await announcer.drain(0);
  await vi.waitUntil(() => announcer.drainState === "withdrawn", PATIENCE);
  await announcer.withdrawBefore(SPEC);
  await announcer.announce(SPEC);
  expect(await words("192.0.2.1/32")).toContain("this node is drained");
  await announcer.undrain();
  expect(await words("192.0.2.1/32")).toContain("not Established");
});

test("the declaration of a drained node has all sessions, marked or without a route", () => {
  const [marked] = drained(SPEC, "marked", NOTHING).instances[0]!.peers;
  expect(marked).toMatchObject({ gracefulShutdown: true, routes: [{ prefix: "192.0.2.1/32" }] });
  expect(drained(SPEC, "withdrawn", NOTHING).instances[0]!.peers[0]).toMatchObject({ name: "router", routes: [] });
  expect(drained(SPEC, "serving", NOTHING)).toBe(SPEC);
});

test("routes to the node's own pods stay, because other nodes send to them", () => {
  const both = spec(peer({ routes: [route("192.0.2.1/32"), route("10.1.0.0/24")] }));
  const [withdrawn] = drained(both, "withdrawn", new Set(["10.1.0.0/24"])).instances[0]!.peers;
  expect(withdrawn!.routes.map(({ prefix }) => prefix)).toEqual(["10.1.0.0/24"]);
});
