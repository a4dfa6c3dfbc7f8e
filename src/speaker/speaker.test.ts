import { expect, test } from "vitest";
import { peer } from "../../test/fixtures/bgp-peers.ts";
import { Speaker } from "./speaker.ts";
import type { SpeakerEvent } from "./speaker-event.ts";

test("the handle runs the speaker on its own thread, reports events, and ends it", async () => {
  const speaker = new Speaker();
  await speaker.start();
  const events: SpeakerEvent[] = [];
  speaker.onEvent((event) => events.push(event));
  // Nothing answers on the discard port of the loopback interface.
  const one = peer({ address: "127.0.0.1", port: 9 });
  await speaker.apply({ instances: [{ localAsn: 65000, routerId: "10.0.0.1", listenPort: null, peers: [one] }] });
  expect(await speaker.status()).toMatchObject([{ name: "router", address: "127.0.0.1", routesAdvertised: 0 }]);
  expect(await speaker.advertised("router")).toEqual([]);
  expect(await speaker.received("nobody")).toEqual([]);
  expect(events[0]).toMatchObject({ type: "state", name: "router", from: "Idle", to: "Connect" });
  await speaker.stop({ cease: true });
  await speaker.stop({ cease: true });
  await expect(speaker.status()).rejects.toThrow("the speaker is not running");
});

test("a spec that cannot be applied is refused in words across the thread", async () => {
  const speaker = new Speaker();
  await speaker.start();
  const wrong = { localAsn: 65000, routerId: "x", listenPort: null, peers: [] };
  await expect(speaker.apply({ instances: [wrong] })).rejects.toThrow("router ID x is not a dotted quad");
  await speaker.stop({ cease: false });
});

test("a thread that fails is started anew, with what it was last told, and meanwhile its sessions are shown with the reason", async () => {
  // Fails when it is asked for what was advertised, and has of sessions what it was told.
  const entry = new URL(`data:text/javascript,
    import { parentPort } from "node:worker_threads";
    let told = null;
    parentPort.on("message", ({ id, call, spec }) => {
      if (call === "advertised") throw new Error("a slip");
      if (call === "apply") told = spec;
      parentPort.postMessage({ type: "answer", id, value: call === "status" ? (told?.instances ?? []) : null });
      if (call === "stop") setImmediate(() => parentPort.close());
    });`);
  const speaker = new Speaker({ restarting: true }, entry);
  await speaker.start();
  const instances = (name: string) => ({
    instances: [{ localAsn: 65000, routerId: "10.0.0.1", listenPort: null, peers: [peer({ name })] }],
  });
  await speaker.apply(instances("before"));
  await expect(speaker.advertised("before")).rejects.toThrow("the speaker's thread failed: a slip");
  await speaker.apply(instances("meanwhile"));
  expect(await speaker.status()).toMatchObject([
    { name: "meanwhile", state: "Idle", lastError: "the speaker's thread failed: a slip" },
  ]);
  await expect
    .poll(() => speaker.status(), { timeout: 10_000 })
    .toMatchObject([{ localAsn: 65000, peers: [{ name: "meanwhile" }] }]);
  await speaker.stop({ cease: false });
  await expect(speaker.status()).rejects.toThrow("the speaker is not running");
});
