/** A speaker behind a unix socket has the same face as one on a thread, and outlives who asks it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { peer, route, spec } from "../../test/fixtures/bgp-peers.ts";
import { PATIENCE } from "../../test/fixtures/patience.ts";
import { RemoteSpeaker } from "./remote-speaker.ts";
import { Sidecar } from "./sidecar.ts";
import { SpeakerCore } from "./speaker-core.ts";
import type { SpeakerEvent } from "./speaker-event.ts";

// Nothing answers on the discard port of the loopback interface.
const WITH_ROUTE = spec(peer({ address: "127.0.0.1", port: 9, routes: [route("192.0.2.1/32")] }));
let folder: string;
let path: string;
let speaker: SpeakerCore;
let sidecar: Sidecar;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-sidecar-"));
  path = join(folder, "speaker.sock");
  speaker = new SpeakerCore({ restarting: false });
  sidecar = new Sidecar(speaker);
  await sidecar.listen(path);
});

afterEach(async () => {
  sidecar.close();
  await speaker.stop({ cease: false });
  rmSync(folder, { recursive: true, force: true });
});

test("a declaration is in force, events come, and everything can be asked", async () => {
  const remote = new RemoteSpeaker(path);
  await remote.start();
  const events: SpeakerEvent[] = [];
  remote.onEvent((event) => events.push(event));
  await remote.apply(WITH_ROUTE);
  expect(await remote.status()).toMatchObject([{ name: "router", address: "127.0.0.1" }]);
  expect(await remote.advertised("router")).toEqual([]);
  expect((await remote.explain("192.0.2.1/32"))[0]!.words[0]).toContain("not Established");
  expect((await remote.capture("router"))!.subarray(0, 4)).toEqual(Buffer.from("a1b2c3d4", "hex"));
  expect(await remote.capture("nobody")).toBeNull();
  await vi.waitUntil(() => events.length > 0, PATIENCE);
  await expect(remote.apply({ instances: [{ ...WITH_ROUTE.instances[0]!, routerId: "x" }] })).rejects.toThrow(
    "router ID x is not a dotted quad",
  );
  await remote.stop({ cease: false });
});

test("sessions outlive the client that declared them, and the next one finds them", async () => {
  const first = new RemoteSpeaker(path);
  await first.start();
  await first.apply(WITH_ROUTE);
  await first.stop({ cease: false });
  await expect(first.status()).rejects.toThrow("is not reachable");
  const second = new RemoteSpeaker(path);
  await second.start();
  expect(await second.status()).toHaveLength(1);
  await second.stop({ cease: true });
  expect(speaker.status()).toEqual([]);
});

test("a speaker that was replaced is given the last declaration anew", async () => {
  const remote = new RemoteSpeaker(path);
  await remote.start();
  await remote.apply(WITH_ROUTE);
  sidecar.close();
  const other = new SpeakerCore({ restarting: false });
  const replacement = new Sidecar(other);
  await replacement.listen(path);
  await vi.waitUntil(() => other.status().length === 1, PATIENCE);
  await remote.stop({ cease: false });
  replacement.close();
  await other.stop({ cease: false });
});

test("a second speaker on the same socket is refused, and so is a client of none", async () => {
  await expect(new Sidecar(speaker).listen(path)).rejects.toThrow("another speaker already serves");
  await expect(new RemoteSpeaker(join(folder, "none.sock")).start()).rejects.toThrow("no speaker serves");
});
