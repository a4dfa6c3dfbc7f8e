/** The commands against an API on a unix socket, with a speaker in this process behind it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { peer, route, spec } from "../../test/fixtures/bgp-peers.ts";
import { PATIENCE } from "../../test/fixtures/patience.ts";
import { Timeline } from "../agent/timeline.ts";
import { ApiServer, type ApiSource } from "../api/server.ts";
import { Speaker } from "../speaker/speaker.ts";
import { runProgram } from "./program.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-bgp-commands-"));
const socket = join(folder, "api.sock");
const speaker = new Speaker();
const nothing = async () => "";
const api = new ApiServer({
  status: nothing,
  flows: nothing,
  policies: () => [],
  metrics: nothing,
  ready: () => true,
  tryPlan: () => Promise.reject(new Error("nobody asks")),
  explainService: () => null,
  explainPacket: () => null,
  services: async () => [],
  drainProgress: nothing,
  drain: async () => {},
  undrain: async () => {},
  bgp: () => speaker,
  frames: () => {
    throw new Error("nobody asks");
  },
  watch: {
    timeline: new Timeline(),
    overview: () => Promise.reject(new Error("nobody asks")),
    fleet: () => Promise.reject(new Error("nobody asks")),
  },
  l2: () => {
    throw new Error("nobody asks");
  },
});

beforeAll(async () => {
  await speaker.start();
  await speaker.apply(spec(peer({ address: "127.0.0.1", port: 1, routes: [route("192.0.2.1/32")] })));
  await api.listenUnix(socket);
  await vi.waitUntil(async () => (await speaker.status())[0]!.lastError !== null, PATIENCE);
});

afterAll(async () => {
  await api.close();
  await speaker.stop({ cease: false });
  rmSync(folder, { recursive: true, force: true });
});

async function printed(...words: string[]): Promise<string> {
  let text = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    expect(await runProgram([...words, "--socket", socket])).toBe(0);
  } finally {
    write.mockRestore();
  }
  return text.replaceAll(/\s+/g, " ");
}

test("peers are shown with the last error and what to do about it", async () => {
  expect(await printed("bgp", "peers")).toContain("Hint: the router's BGP does not listen on 127.0.0.1");
});

test("a prefix that a peer has not is explained", async () => {
  expect(await printed("bgp", "explain", "192.0.2.1/32")).toContain("router: the session with router is ");
  expect(await printed("bgp", "explain", "192.0.2.9/32")).toContain("192.0.2.9/32 is not among the routes for router");
  expect(await printed("bgp", "explain", "192.0.2.1/32", "--peer", "nobody")).toBe("there is no such peer ");
});

test("routes of both directions have a table each", async () => {
  expect(await printed("bgp", "routes", "advertised", "router")).toBe("no routes are advertised to this peer ");
  expect(await printed("bgp", "routes", "received", "router")).toBe("this peer has told us no routes ");
});

test("a capture is a file that begins as libpcap has it", async () => {
  const file = join(folder, "session.pcap");
  await printed("bgp", "capture", "router", "-w", file);
  expect(readFileSync(file).readUInt32BE(0)).toBe(0xa1b2c3d4);
});

test("events are printed as they happen, and until the process that is asked ends", async () => {
  let text = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  const other = new ApiServer({ bgp: () => speaker } as unknown as ApiSource);
  try {
    await other.listenUnix(join(folder, "other.sock"));
    const following = runProgram(["bgp", "events", "--socket", join(folder, "other.sock")]);
    await vi.waitUntil(() => / router 127\.0\.0\.1: (?:Idle -> Connect|Connect -> Idle \(.*refused)/.test(text), {
      timeout: 8000,
    });
    await other.close();
    await following;
  } finally {
    write.mockRestore();
  }
});
