/**
 * A real FRR router and a node for our speaker, as in the seed but with nothing else around:
 *
 *    router (FRR, AS 65001)                      node (AS 65000, the speaker)
 *   +--------------------------+                +---------------------------+
 *   | lo 192.168.1.1           |                |                           |
 *   | to-node 10.1.1.1/24 -----|----- veth -----|- net0 10.1.1.2/24         |
 *   +--------------------------+                +---------------------------+
 *
 * The router peers from its loopback, which is not on the node's subnet.
 */
import { NODE_ADDRESS, ROUTER_ADDRESS } from "../fixtures/bgp-peers.ts";
import { Frr } from "../lab/frr.ts";
import { Lab } from "../lab/lab.ts";
import type { Namespace } from "../lab/namespace.ts";
import { SpeakerInNamespace } from "./speaker-in-namespace.ts";

const FRR_CONFIG = `
router bgp 65001
 bgp router-id ${ROUTER_ADDRESS}
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor ${NODE_ADDRESS} remote-as 65000
 neighbor ${NODE_ADDRESS} update-source ${ROUTER_ADDRESS}
 neighbor ${NODE_ADDRESS} disable-connected-check
 neighbor ${NODE_ADDRESS} timers connect 1
`;

export interface Neighbor {
  readonly bgpState: string;
  readonly connectionsEstablished: number;
  readonly lastNotificationReason?: string;
  readonly lastResetDueTo?: string;
  readonly lastShutdownDescription?: string;
}

export class RouterAndNode {
  readonly lab: Lab;
  readonly router: Namespace;
  readonly node: Namespace;
  readonly frr: Frr;
  readonly speaker: SpeakerInNamespace;

  private constructor() {
    this.lab = new Lab("slb");
    this.router = this.lab.namespace("router");
    this.node = this.lab.namespace("node");
    this.frr = new Frr(this.lab, this.router, FRR_CONFIG);
    this.router.ip(`addr add ${ROUTER_ADDRESS}/32 dev lo`);
    this.lab.connect(
      { namespace: this.router, device: "to-node", addresses: ["10.1.1.1/24"] },
      { namespace: this.node, device: "net0", addresses: [`${NODE_ADDRESS}/24`] },
    );
    this.node.ip("route add default via 10.1.1.1");
    this.speaker = new SpeakerInNamespace(this.node);
  }

  static async open(): Promise<RouterAndNode> {
    const network = new RouterAndNode();
    await network.frr.start();
    return network;
  }

  neighbor(): Neighbor {
    type Neighbors = Record<string, Neighbor>;
    return this.frr.vtyshJson<Neighbors>(`show bgp neighbors ${NODE_ADDRESS} json`)[NODE_ADDRESS]!;
  }

  /** The route in the router's kernel, as `ip route` shows it; empty when there is none. */
  kernelRoute(prefix: string): string {
    return this.router.run(["ip", "route", "show", prefix]).trim();
  }

  /** Every packet between the two is lost; no interface goes down, so nobody is told. */
  loseEverything(lost: boolean): void {
    const rule = "add table inet lost; add chain inet lost in { type filter hook input priority 0; policy drop; }";
    this.router.run(lost ? ["nft", rule] : ["nft", "delete table inet lost"]);
  }

  close(): void {
    this.lab.close();
  }
}
