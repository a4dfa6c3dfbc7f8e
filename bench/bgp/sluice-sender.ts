/** Sluice as the sender: a process with a speaker, steered by lines of JSON. Arguments: own address, peer's address. */
import { createInterface } from "node:readline";
import type { PeerSpec, RouteSpec } from "../../src/bgp/speaker-spec.ts";
import { Speaker } from "../../src/speaker/speaker.ts";
import { prefixOf } from "./receiver.ts";

const [own, remote] = process.argv.slice(2) as [string, string];
const speaker = new Speaker();
await speaker.start();
let routes: RouteSpec[] = [];

const peer = (announced: readonly RouteSpec[], shutdown: string | null): PeerSpec => ({
  name: "receiver",
  address: remote,
  port: 179,
  asn: 65001,
  localAddress: null,
  connectRetrySeconds: 1,
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  ebgpMultihopTtl: 1,
  password: null,
  families: [{ afi: "ipv4", safi: "unicast" }],
  gracefulRestartSeconds: null,
  routes: announced,
  shutdown,
});
const apply = (announced: readonly RouteSpec[], shutdown: string | null) =>
  speaker.apply({
    instances: [{ localAsn: 65000, routerId: own, listenPort: null, peers: [peer(announced, shutdown)] }],
  });

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as { do: "prepare" | "start" | "withdraw" | "received"; count: number };
  if (command.do === "prepare") {
    const shared = { nextHop: own, asPath: [65000], localPreference: null, communities: [], largeCommunities: [] };
    routes = Array.from({ length: command.count }, (_, i) => ({ prefix: prefixOf(i, 20), ...shared }));
    await apply(routes, "not yet");
  } else if (command.do === "start") await apply(routes, null);
  else if (command.do === "withdraw") {
    routes = [];
    await apply([], null);
  } else {
    while ((await speaker.status())[0]!.routesReceived !== command.count) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  process.stdout.write("{}\n");
}
await speaker.stop({ cease: true });
