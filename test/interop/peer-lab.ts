/**
 * A router namespace and a node namespace for our speaker, on one link with addresses of both families:
 *
 *    router (any daemon, AS 65001)                node (AS 65000, the speaker)
 *   +-----------------------------+              +-------------------------------+
 *   | to-node 10.1.1.1/24         |              |         10.1.1.2/24 net0      |
 *   |         fd98::1/64     -----|---- veth ----|-----     fd98::2/64           |
 *   +-----------------------------+              +-------------------------------+
 */
import type { InstanceSpec, PeerSpec, PeerStatus, SpeakerSpec } from "../../src/bgp/speaker-spec.ts";
import { peer } from "../fixtures/bgp-peers.ts";
import { Lab } from "../lab/lab.ts";
import type { Namespace } from "../lab/namespace.ts";
import { slackFor } from "../lab/slack.ts";
import { waitFor } from "../lab/wait-for.ts";
import { SpeakerInNamespace } from "./speaker-in-namespace.ts";

export const ROUTER = "10.1.1.1";
export const NODE = "10.1.1.2";
export const ROUTER6 = "fd98::1";
export const NODE6 = "fd98::2";
export const VIP = "192.168.10.100/32";
export const VIP6 = "2001:db8:10::1/128";

export const BOTH_FAMILIES = [
  { afi: "ipv4", safi: "unicast" },
  { afi: "ipv6", safi: "unicast" },
] as const;

export class PeerLab {
  readonly lab: Lab;
  readonly router: Namespace;
  readonly node: Namespace;
  speaker: SpeakerInNamespace;

  constructor() {
    this.lab = new Lab("slb");
    this.router = this.lab.namespace("router");
    this.node = this.lab.namespace("node");
    this.lab.connect(
      { namespace: this.router, device: "to-node", addresses: [`${ROUTER}/24`] },
      { namespace: this.node, device: "net0", addresses: [`${NODE}/24`] },
    );
    // Without duplicate address detection an address can be used at once.
    this.router.ip(`addr add ${ROUTER6}/64 dev to-node nodad`);
    this.node.ip(`addr add ${NODE6}/64 dev net0 nodad`);
    // FRR advertises the prefix where it takes IPv6 next hops; from an address made of that it knows no neighbour.
    this.node.sysctl("net.ipv6.conf.net0.autoconf", 0);
    this.router.sysctl("net.ipv6.conf.all.forwarding", 1);
    this.router.ip("addr add 192.168.1.1/32 dev lo");
    this.speaker = new SpeakerInNamespace(this.node);
  }

  /** One instance of ours with these peers, listening when a peer is passive. */
  async apply(...peers: PeerSpec[]): Promise<void> {
    await this.speaker.apply(instanceWith({}, ...peers));
  }

  async status(): Promise<PeerStatus> {
    return (await this.speaker.status())[0]!;
  }

  async established(timeoutSeconds = 20): Promise<PeerStatus> {
    const up = async () => {
      const status = await this.status();
      return status.state === "Established" ? status : null;
    };
    return waitFor("our side to be Established", up, { timeoutSeconds, seen: () => this.speaker.events.slice(-4) });
  }

  async ended(timeoutSeconds = 10): Promise<string | null> {
    await waitFor("the session to end", async () => (await this.status()).state !== "Established", { timeoutSeconds });
    return this.speaker.events.findLast((event) => event.from === "Established")?.words ?? null;
  }

  /** The route in the router's kernel; empty when there is none. */
  kernelRoute(prefix: string): string {
    const family = prefix.includes(":") ? "-6" : "-4";
    return this.router.run(["ip", family, "route", "show", prefix]).trim();
  }

  async installed(prefix: string, timeoutSeconds = 10): Promise<string> {
    return waitFor(`${prefix} in the router's kernel`, () => this.kernelRoute(prefix), { timeoutSeconds });
  }

  async gone(prefix: string, timeoutSeconds = 10): Promise<void> {
    const isGone = () => this.kernelRoute(prefix) === "";
    await waitFor(`${prefix} to leave the router's kernel`, isGone, { timeoutSeconds, everyMilliseconds: 10 });
  }

  /** What may take so many milliseconds on an idle machine may take this long on this one now. */
  slackFor(milliseconds: number): Promise<number> {
    return slackFor(milliseconds, () => this.kernelRoute(VIP));
  }

  /** Every packet to the router is lost; no interface goes down, so nobody is told. */
  loseEverything(lost: boolean): void {
    const rule = "add table inet lost; add chain inet lost in { type filter hook input priority 0; policy drop; }";
    this.router.run(lost ? ["nft", rule] : ["nft", "delete table inet lost"]);
  }

  /** Kills the speaker's process and starts it anew as after a crash, with the same spec. */
  async crash(spec: SpeakerSpec): Promise<void> {
    await this.speaker.kill();
    this.speaker = new SpeakerInNamespace(this.node, true);
    await this.speaker.apply(spec);
  }

  /** Changes of routes in the router's kernel while `during` runs, as `ip monitor` prints them. */
  async routeEvents(during: () => Promise<void>): Promise<string[]> {
    const monitor = this.router.start("monitor", ["ip", "monitor", "route"]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await during();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await monitor.stop();
    return monitor.log().split("\n").filter(Boolean);
  }

  close(): void {
    this.lab.close();
  }
}

/** A peer of our speaker in this lab. */
export function routerPeer(more: Partial<PeerSpec> = {}): PeerSpec {
  return peer({ address: ROUTER, connectRetrySeconds: 2, ...more });
}

export function instanceWith(more: Partial<InstanceSpec>, ...peers: PeerSpec[]): SpeakerSpec {
  const listenPort = peers.some((one) => one.passive) ? 179 : null;
  return { instances: [{ localAsn: 65000, routerId: NODE, listenPort, peers, ...more }] };
}
