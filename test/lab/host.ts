/** What a namespace of a lab is: an end of the network, or something that forwards. */
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";

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

/** A switch: a bridge that learns, floods and does nothing else. */
export function bridge(lab: Lab, name: string): Namespace {
  const namespace = host(lab, name);
  namespace.ip("link add br0 type bridge mcast_snooping 0 forward_delay 0 stp_state 0", "link set br0 up");
  return namespace;
}
