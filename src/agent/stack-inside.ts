/**
 * The inside of a gateway whose pods are local: a veth pair into the node's own stack.
 *
 *   worker --socket--> sl1 ~~~ sl0 --> the node's stack --> pod
 *   worker <--socket-- sl1 ~~~ sl0 <-- tc egress of the uplink <-- the node's stack <-- pod
 *
 * What the stack needs to take frames with the clients' source addresses at sl0: loose reverse-path filtering, and an
 * address of any kind on it, without which even the loose filter drops. IPv6 has no such filter; it needs to be switched
 * on at sl0, where the kernel gives itself a link-local address. sl1 is only a door for frames and has no addresses: what
 * the kernel would send there by itself (MLD, router solicitations) would come out at sl0 as if a neighbour had sent it.
 *
 * The offloads of sl0 are off, because what is redirected into it must come out with finished checksums and in frames no
 * longer than the MTU.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseIpAddress } from "../net/ip-address.ts";
import { attachedXdp } from "../xdp/attach.ts";
import { rxQueueCount, setOffload } from "../xdp/ethtool.ts";
import { addAddress, createVethPair, deleteLink, findLink, setLink } from "../xdp/netlink.ts";
import type { NetworkLink } from "../xdp/rtnetlink.ts";

const OUTER = "sl0";
export const INNER = "sl1";
/** Link-local (RFC 3927): it is never routed, and only the reverse-path filter asks for it. */
const OUTER_ADDRESS = "169.254.77.1";

export interface StackInside {
  /** The end in the node's stack. */
  readonly outer: NetworkLink;
  /** The end with the sockets. */
  readonly inner: NetworkLink;
  remove(): void;
}

/** The pair that a gateway which died has left, when it is as `createStackInside` would make it. */
export function leftStackInside(mtu: number, queues: number): StackInside | null {
  const [outer, inner] = [findLink(OUTER), findLink(INNER)];
  if (outer?.kind !== "veth" || inner?.kind !== "veth" || outer.mtu !== mtu || inner.mtu !== mtu) return null;
  if (!outer.up || !inner.up || rxQueueCount(INNER) !== queues) return null;
  return { outer, inner, remove: removeLeftover };
}

/** @param queues of both ends, as many as there are workers. */
export function createStackInside(mtu: number, queues: number): StackInside {
  // Sockets need the program on their interface, so a pair with one is no leftover: somebody serves through it.
  if (findLink(INNER) !== null && attachedXdp(INNER) !== null) {
    throw new Error(`another Sluice is running here and uses the interface ${INNER}: stop it before starting this one`);
  }
  removeLeftover();
  createVethPair({ name: OUTER, peer: INNER, queues });
  try {
    for (const name of [OUTER, INNER]) setLink(link(name), { mtu });
    setOffload(OUTER, "txChecksum", false);
    writeFileSync(`/proc/sys/net/ipv4/conf/${OUTER}/rp_filter`, "2");
    // A kernel may be without IPv6.
    if (existsSync("/proc/sys/net/ipv6")) {
      writeFileSync(`/proc/sys/net/ipv6/conf/${OUTER}/disable_ipv6`, "0");
      writeFileSync(`/proc/sys/net/ipv6/conf/${OUTER}/accept_ra`, "0");
      writeFileSync(`/proc/sys/net/ipv6/conf/${INNER}/disable_ipv6`, "1");
    }
    for (const name of [OUTER, INNER]) setLink(link(name), { up: true });
    addAddress(link(OUTER), parseIpAddress(OUTER_ADDRESS)!, 32);
  } catch (error) {
    removeLeftover();
    throw error;
  }
  return { outer: link(OUTER), inner: link(INNER), remove: removeLeftover };
}

/** What stands in the way of pods behind the node's stack, in words; empty when nothing does. */
export function stackProblems(uplink: string): string[] {
  const problems: string[] = [];
  if (sysctl("net/ipv4/ip_forward") !== "1") {
    problems.push("the node does not forward IPv4, so pods stay out of reach: `sysctl -w net.ipv4.ip_forward=1`");
  }
  if (hasGlobalIpv6(uplink) && sysctl("net/ipv6/conf/all/forwarding") !== "1") {
    problems.push(
      "the node does not forward IPv6, so pods stay out of reach: `sysctl -w net.ipv6.conf.all.forwarding=1`",
    );
  }
  return problems;
}

/** Lines of /proc/net/if_inet6: address, interface index, prefix length, scope (00: global), flags, name. */
function hasGlobalIpv6(name: string): boolean {
  if (!existsSync("/proc/net/if_inet6")) return false;
  const lines = readFileSync("/proc/net/if_inet6", "utf8").trim().split("\n");
  return lines.map((line) => line.split(/ +/)).some((fields) => fields[3] === "00" && fields[5] === name);
}

function sysctl(path: string): string | null {
  const file = `/proc/sys/${path}`;
  return existsSync(file) ? readFileSync(file, "utf8").trim() : null;
}

function link(name: string): NetworkLink {
  const found = findLink(name);
  if (found === null) throw new Error(`the interface ${name} has vanished while it was being set up`);
  return found;
}

/** A process that was killed leaves its pair behind; deleting one end deletes both. */
export function removeLeftover(): void {
  const leftover = findLink(OUTER) ?? findLink(INNER);
  if (leftover === null) return;
  if (leftover.kind !== "veth") {
    throw new Error(`there is an interface ${leftover.name} that is not Sluice's: rename it, the name is needed`);
  }
  deleteLink(leftover);
}
