/** Our speaker against a real FRR router: what the router sees, installs and says. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PeerSpec, PeerStatus, RouteSpec, SpeakerSpec } from "../../src/bgp/speaker-spec.ts";
import { FrrLab, NODE_ADDRESS, ROUTER_ADDRESS, USUAL_NEIGHBOR, waitFor } from "./frr-lab.ts";
import { SpeakerInNamespace } from "./speaker-in-namespace.ts";

const VIP = "192.168.10.100/32";

function route(prefix: string, more: Partial<RouteSpec> = {}): RouteSpec {
  const attributes = { localPreference: null, communities: [], largeCommunities: [] };
  return { prefix, nextHop: NODE_ADDRESS, asPath: [65000], ...attributes, ...more };
}

function peer(more: Partial<PeerSpec> = {}): PeerSpec {
  return {
    name: "router",
    address: ROUTER_ADDRESS,
    port: 179,
    asn: 65001,
    localAddress: null,
    connectRetrySeconds: 5,
    holdTimeSeconds: 9,
    keepaliveTimeSeconds: 3,
    ebgpMultihopTtl: 1,
    password: null,
    families: [{ afi: "ipv4", safi: "unicast" }],
    gracefulRestartSeconds: null,
    routes: [route(VIP)],
    ...more,
  };
}

function spec(...peers: PeerSpec[]): SpeakerSpec {
  return { instances: [{ localAsn: 65000, routerId: NODE_ADDRESS, listenPort: null, peers }] };
}

interface FrrNeighbor {
  readonly bgpState: string;
  readonly connectionsEstablished: number;
  readonly lastNotificationReason?: string;
  readonly lastResetDueTo?: string;
  readonly lastShutdownDescription?: string;
}

interface FrrPath {
  readonly valid: boolean;
  readonly aspath: { readonly string: string };
  readonly nexthops: readonly { readonly ip: string }[];
  readonly community?: { readonly string: string };
  readonly largeCommunity?: { readonly string: string };
  readonly origin: string;
}

let lab: FrrLab;
let speaker: SpeakerInNamespace;

const neighbor = () => lab.show<Record<string, FrrNeighbor>>(`bgp neighbors ${NODE_ADDRESS}`)[NODE_ADDRESS]!;
const paths = (prefix: string) => lab.show<{ paths?: FrrPath[] }>(`bgp ipv4 unicast ${prefix}`).paths ?? [];
const status = async (): Promise<PeerStatus> => (await speaker.status())[0]!;
const established = () =>
  waitFor(
    "both sides are Established",
    async () => (await status()).state === "Established" && neighbor().bgpState === "Established",
  );
const installed = (prefix: string) =>
  waitFor(`${prefix} is in the router's kernel`, () => lab.kernelRoute(prefix) !== "");
const gone = (prefix: string) => waitFor(`${prefix} left the router's kernel`, () => lab.kernelRoute(prefix) === "");

beforeAll(async () => {
  lab = await FrrLab.open({ neighbor: USUAL_NEIGHBOR });
  speaker = new SpeakerInNamespace(lab.node);
}, 30_000);

afterAll(async () => {
  await speaker?.close();
  lab?.close();
});

describe("one session with FRR", { timeout: 60_000 }, () => {
  test("establishes with a router whose address is not on our subnet, and the router installs the route", async () => {
    await speaker.apply(spec(peer()));
    await established();
    await installed(VIP);
    const [path] = paths(VIP);
    expect(path).toMatchObject({ valid: true, origin: "IGP", aspath: { string: "65000" } });
    expect(path!.nexthops[0]!.ip).toBe(NODE_ADDRESS);
    expect(lab.kernelRoute(VIP)).toContain(`via ${NODE_ADDRESS}`);
    expect(await status()).toMatchObject({ routesAdvertised: 1, timesEstablished: 1, holdTimeSeconds: 9 });
  });

  test("a changed set of routes reaches the router as UPDATEs, without a reset", async () => {
    const second = route("192.168.10.101/32", { communities: ["65000:100"], largeCommunities: ["65000:1:2"] });
    await speaker.apply(spec(peer({ routes: [route(VIP), second] })));
    await installed("192.168.10.101/32");
    expect(paths("192.168.10.101/32")[0]).toMatchObject({
      community: { string: "65000:100" },
      largeCommunity: { string: "65000:1:2" },
    });
    await speaker.apply(spec(peer({ routes: [second] })));
    await gone(VIP);
    expect(lab.kernelRoute("192.168.10.101/32")).not.toBe("");
    expect(neighbor()).toMatchObject({ bgpState: "Established", connectionsEstablished: 1 });
  });
});
