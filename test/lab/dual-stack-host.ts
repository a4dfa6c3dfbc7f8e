/** Hosts of both IP families, and pods as CNIs make them, for the networks that are built from them. */
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import { Pod } from "./pod.ts";
import { waitFor } from "./wait-for.ts";

const UDP_ECHO = join(import.meta.dirname, "udp-echo.ts");
/** Where a backend sees both families come in at one socket. */
const ANY_ADDRESS = "::";

export interface Backend {
  readonly pod: Pod;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Addresses are usable at once: detecting duplicates would take seconds, and there are none. */
export function host(lab: Lab, name: string): Namespace {
  const namespace = lab.namespace(name);
  for (const which of ["all", "default"]) namespace.sysctl(`net.ipv6.conf.${which}.accept_dad`, 0);
  return namespace;
}

export function forwarder(lab: Lab, name: string): Namespace {
  const namespace = host(lab, name);
  for (const key of ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]) namespace.sysctl(key, 1);
  return namespace;
}

/** HTTP at port 80 and a UDP echo at port 7. */
export async function startServers(name: string, namespace: Namespace): Promise<Pod> {
  const echo = namespace.start("udp-echo", [process.execPath, UDP_ECHO, "7"]);
  const pod = await Pod.start(name, ANY_ADDRESS, 80, namespace);
  await waitFor(`${name} to echo`, () => echo.log().includes("ready"), { seen: () => echo.log() });
  return pod;
}

export interface PodPlace {
  readonly name: string;
  /** The node's end of the pod's link. */
  readonly device: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** An address of the node. */
  readonly gateway4: string;
  /** More of the node's route to the pod: `"mtu lock 1400"`. */
  readonly route?: string;
}

export async function startPod(lab: Lab, node: Namespace, place: PodPlace): Promise<Backend> {
  const pod = await startServers(place.name, podNamespace(lab, node, place));
  return { pod, ipv4: place.ipv4, ipv6: place.ipv6 };
}

/** One address of each family, a gateway at the node's end of the link, a host route back. Nothing runs in it yet. */
export function podNamespace(lab: Lab, node: Namespace, place: PodPlace): Namespace {
  const { name, device, ipv4, ipv6, gateway4, route = "" } = place;
  const namespace = host(lab, name);
  lab.connect(
    { namespace: node, device, addresses: ["fe80::1/64"] },
    { namespace, device: "eth0", addresses: [`${ipv4}/32`, `${ipv6}/128`] },
  );
  namespace.ip(`route add ${gateway4} dev eth0`, `route add default via ${gateway4}`);
  namespace.ip("route add default via fe80::1 dev eth0");
  node.ip(`route add ${ipv4}/32 dev ${device} ${route}`, `route add ${ipv6}/128 dev ${device} ${route}`);
  return namespace;
}
