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
 * Beside sl0's own addresses there is one of each family that is nobody's, with sl1 as its neighbour: backends see it as
 * their client where the real one is the node or a pod of it, and what they send there comes to us.
 *
 * The offloads of sl0 are off, because what is redirected into it must come out with finished checksums and in frames no
 * longer than the MTU.
 */
import { existsSync, readFileSync } from "node:fs";
import { type IpAddress, type IpFamily, parseIpAddress } from "../net/ip-address.ts";
import { attachedXdp } from "../xdp/attach.ts";
import { rxQueueCount, setOffload } from "../xdp/ethtool.ts";
import { addAddress, createVethPair, deleteLink, findLink, setLink, setNeighbor } from "../xdp/netlink.ts";
import type { NetworkLink } from "../xdp/rtnetlink.ts";
import { readSysctl, writeSysctl } from "./sysctl.ts";

const OUTER = "sl0";
export const INNER = "sl1";

interface StackAddresses {
  /** Of sl0. */
  readonly outer: IpAddress;
  /** Nobody's, behind sl1. */
  readonly inner: IpAddress;
  /** Of both. */
  readonly prefixLength: number;
}

/** Link-local (RFC 3927), and local to a site (RFC 4193): neither leaves the node. */
export const STACK_ADDRESSES: Readonly<Record<IpFamily, StackAddresses>> = {
  4: { outer: parseIpAddress("169.254.77.1")!, inner: parseIpAddress("169.254.77.2")!, prefixLength: 30 },
  6: {
    outer: parseIpAddress("fd73:6c75:6963:65::1")!,
    inner: parseIpAddress("fd73:6c75:6963:65::2")!,
    prefixLength: 126,
  },
};

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
    throw new Error(
      `another Sluice is running here and uses the interface ${INNER}: stop it before starting this one; if it has died, \`sluice cleanup\``,
    );
  }
  removeLeftover();
  createVethPair({ name: OUTER, peer: INNER, queues });
  try {
    for (const name of [OUTER, INNER]) setLink(link(name), { mtu });
    setOffload(OUTER, "txChecksum", false);
    // What the program on sl1 sends back by itself, for the node and its pods, this end takes only with GRO.
    setOffload(OUTER, "gro", true);
    writeSysctl(`net/ipv4/conf/${OUTER}/rp_filter`, "2");
    // A kernel may be without IPv6.
    const families: IpFamily[] = existsSync("/proc/sys/net/ipv6") ? [4, 6] : [4];
    if (families.includes(6)) {
      writeSysctl(`net/ipv6/conf/${OUTER}/disable_ipv6`, "0");
      writeSysctl(`net/ipv6/conf/${OUTER}/accept_ra`, "0");
      // Nobody else is on the link, and an address is of no use while the kernel asks whether there is.
      writeSysctl(`net/ipv6/conf/${OUTER}/accept_dad`, "0");
      writeSysctl(`net/ipv6/conf/${INNER}/disable_ipv6`, "1");
    }
    for (const name of [OUTER, INNER]) setLink(link(name), { up: true });
    for (const family of families) {
      const { outer, inner, prefixLength } = STACK_ADDRESSES[family];
      addAddress(link(OUTER), outer, prefixLength);
      setNeighbor(link(OUTER), inner, link(INNER).mac!);
    }
  } catch (error) {
    removeLeftover();
    throw error;
  }
  return { outer: link(OUTER), inner: link(INNER), remove: removeLeftover };
}

/** What stands in the way of pods behind the node's stack, in words; empty when nothing does. */
export function stackProblems(uplink: string): string[] {
  const problems: string[] = [];
  if (readSysctl("net/ipv4/ip_forward") !== "1") {
    problems.push("the node does not forward IPv4, so pods stay out of reach: `sysctl -w net.ipv4.ip_forward=1`");
  }
  if (hasGlobalIpv6(uplink) && readSysctl("net/ipv6/conf/all/forwarding") !== "1") {
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
