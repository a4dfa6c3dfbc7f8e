/** Asking the kernel for interfaces, addresses and neighbours, and having it change them. Synchronous and short. */
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import { native } from "./native.ts";
import { type NetlinkMessage, NLM_F_DUMP_INTR, readMessages } from "./netlink-message.ts";
import { decodeLink, decodeNamespaceId, type NetworkLink, RTM_GETLINK } from "./rtnetlink.ts";
import {
  encodeAddAddress,
  encodeAskNamespaceId,
  encodeCreateVeth,
  encodeDeleteLink,
  encodeDeleteRoute,
  encodeDump,
  encodeResolveNeighbor,
  encodeSetLink,
  encodeSetNeighbor,
  encodeSetRoute,
  type HostRoute,
  type LinkSettings,
  type VethPair,
} from "./rtnetlink-request.ts";

/** A dump that was interrupted by changes is repeated this often before its last answer is taken as it is. */
const DUMP_ATTEMPTS = 5;

/** All rows of one kind, decoded. */
export function dump<T>(type: number, what: string, decode: (message: NetlinkMessage) => T | null): T[] {
  for (let attempt = 1; ; attempt++) {
    const { messages } = readMessages(native.netlinkRequest(encodeDump(type), what));
    const interrupted = messages.some((message) => (message.flags & NLM_F_DUMP_INTR) !== 0);
    if (!interrupted || attempt === DUMP_ATTEMPTS) return messages.map(decode).filter((row) => row !== null);
  }
}

export function networkLinks(): NetworkLink[] {
  return dump(RTM_GETLINK, "list the interfaces", decodeLink);
}

/** The interface of that name, or `null`. */
export function findLink(name: string): NetworkLink | null {
  return networkLinks().find((link) => link.name === name) ?? null;
}

/** The number by which links name a namespace (`LinkedTo.namespaceId`); `null` for one that no link of ours leads to. */
export function namespaceIdOf(fd: number): number | null {
  const { messages } = readMessages(native.netlinkRequest(encodeAskNamespaceId(fd), "ask for a namespace's number"));
  return messages.map(decodeNamespaceId).find((id) => id !== null) ?? null;
}

export function createVethPair(pair: VethPair): void {
  native.netlinkRequest(encodeCreateVeth(pair), `create the veth pair ${pair.name} and ${pair.peer}`);
}

export function deleteLink(link: Pick<NetworkLink, "index" | "name">): void {
  native.netlinkRequest(encodeDeleteLink(link.index), `delete the interface ${link.name}`);
}

export function setLink(link: Pick<NetworkLink, "index" | "name">, settings: LinkSettings): void {
  native.netlinkRequest(encodeSetLink(link.index, settings), `change the interface ${link.name}`);
}

export function addAddress(link: Pick<NetworkLink, "index" | "name">, address: IpAddress, prefixLength: number): void {
  const what = `add the address ${formatIpAddress(address)}/${prefixLength} to ${link.name}`;
  native.netlinkRequest(encodeAddAddress(link.index, address, prefixLength), what);
}

export function setNeighbor(link: Pick<NetworkLink, "index" | "name">, address: IpAddress, mac: Mac): void {
  const what = `add the neighbour ${formatIpAddress(address)} to ${link.name}`;
  native.netlinkRequest(encodeSetNeighbor(link.index, address, mac), what);
}

export function setRoute(route: HostRoute): void {
  native.netlinkRequest(encodeSetRoute(route), `add the route to ${formatIpAddress(route.destination)}`);
}

export function deleteRoute(route: HostRoute): void {
  native.netlinkRequest(encodeDeleteRoute(route), `delete the route to ${formatIpAddress(route.destination)}`);
}

/** Starts resolving; `NetworkMirror` sees the answer. */
export function resolveNeighbor(interfaceIndex: number, address: IpAddress): void {
  const what = `resolve ${formatIpAddress(address)} on interface ${interfaceIndex}`;
  native.netlinkRequest(encodeResolveNeighbor(interfaceIndex, address), what);
}
