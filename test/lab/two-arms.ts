/**
 * A gateway between two networks: the uplink faces the router, a second NIC faces the backends, which stand on a bridge
 * and send everything back through the gateway.
 *
 *    client               router (FRR, AS 65001)          node1 (AS 65000)           lan
 *   +----------------+   +--------------------------+   +--------------------+   +-------------------+
 *   | 203.0.113.10   |   | 203.0.113.1    10.1.1.1  |   | 10.1.1.2  10.9.0.1 |   | bridge            |
 *   | eth0 ----------|---|- to-client    to-node ---|---|- net0        lan0 -|---|- port0  port1 ----|-- backend1
 *   |                |   | lo 192.168.1.1           |   |                    |   |         port2 ----|-- backend2
 *   +----------------+   +--------------------------+   +--------------------+   +-------------------+
 *                                                        backend1 10.9.0.11, backend2 10.9.0.12, default via 10.9.0.1
 *
 * Whoever sends towards an interface of the gateway finishes its checksums, as a real NIC's peer would: the router's
 * end of the uplink, and the backends themselves, since a bridge passes frames on as they are.
 */
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import { Pod } from "./pod.ts";
import { type Outside, outside } from "./seed-a.ts";

export const LAN_ADDRESS = "10.9.0.1";

export const BACKENDS = ["10.9.0.11", "10.9.0.12"] as const;

export interface TwoArms extends Outside {
  readonly backends: readonly Pod[];
}

export async function twoArms(lab: Lab): Promise<TwoArms> {
  const network = await outside(lab, { queues: 1 });
  const lan = lab.namespace("lan");
  lan.ip("link add bridge type bridge mcast_snooping 0 forward_delay 0 stp_state 0", "link set bridge up");
  lab.connect(
    { namespace: network.node, device: "lan0", addresses: [`${LAN_ADDRESS}/24`] },
    { namespace: lan, device: "port0" },
  );
  lan.ip("link set port0 master bridge");
  const backends = await Promise.all(BACKENDS.map((address, index) => startBackend(lab, lan, address, index + 1)));
  return { ...network, backends };
}

function startBackend(lab: Lab, lan: Namespace, address: string, number: number): Promise<Pod> {
  const name = `backend${number}`;
  const namespace = lab.namespace(name);
  const offload = { tx: false };
  lab.connect(
    { namespace, device: "eth0", addresses: [`${address}/24`], offload },
    { namespace: lan, device: `port${number}` },
  );
  lan.ip(`link set port${number} master bridge`);
  namespace.ip(`route add default via ${LAN_ADDRESS}`);
  return Pod.start(name, address, 80, namespace);
}

/** What the node's kernel knows of its neighbours on the lan: `10.9.0.11 lladdr … REACHABLE`. */
export function lanNeighbors({ node }: TwoArms): string {
  return node.run(["ip", "-4", "neigh", "show", "dev", "lan0"]);
}
