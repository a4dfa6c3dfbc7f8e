/**
 * Finding a peer's address: the gateway of the default route, or the router at the other end of an interface.
 *
 * Unnumbered: we advertise ourselves as a router (the other side then knows our link-local address) and ask all routers
 * of the link for an echo. Who answers has resolved our address first, so the kernel's neighbour table has its address.
 */
import { echoRequest, routerAdvertisement } from "../bgp/router-advertisement.ts";
import type { PeerDiscovery } from "../bgp/speaker-spec.ts";
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import { formatMac } from "../net/mac.ts";
import { sendIcmp6 } from "../xdp/hop-limit.ts";
import { dump, findLink, networkLinks } from "../xdp/netlink.ts";
import {
  addressToBytes,
  decodeAddress,
  decodeNeighbor,
  decodeRoute,
  RTM_GETADDR,
  RTM_GETNEIGH,
  RTM_GETROUTE,
} from "../xdp/rtnetlink.ts";
import type { FoundPeer } from "./platform.ts";

const SEARCH_MILLISECONDS = 1000;
/** Once found, it is looked after less often; routers forget us after the lifetime of a neighbour entry. */
const CARE_MILLISECONDS = 5000;
const ALL_NODES = "ff02::1";
const ALL_ROUTERS = "ff02::2";

export function discoverPeer(discovery: PeerDiscovery, found: (peer: FoundPeer | null) => void): { stop(): void } {
  let timer: NodeJS.Timeout;
  const look = () => {
    const peer = discovery.kind === "unnumbered" ? otherEnd(discovery.interfaceName) : gateway(discovery.family);
    timer = setTimeout(look, peer === null ? SEARCH_MILLISECONDS : CARE_MILLISECONDS);
    found(peer);
  };
  timer = setTimeout(look, 0);
  return { stop: () => clearTimeout(timer) };
}

/** Of several default routes the one with the lowest metric. */
function gateway(family: "ipv4" | "ipv6"): FoundPeer | null {
  const number = family === "ipv4" ? 4 : 6;
  const [best] = dump(RTM_GETROUTE, "list the routes", decodeRoute)
    .filter((route) => route.prefixLength === 0 && route.destination.family === number)
    .sort((a, b) => a.metric - b.metric);
  const hop = best?.nextHops.find((one) => one.gateway !== null);
  if (hop === undefined) return null;
  const link = networkLinks().find(({ index }) => index === hop.interfaceIndex);
  const isLocal = isLinkLocal(hop.gateway!);
  return { address: formatIpAddress(hop.gateway!), interfaceName: isLocal ? (link?.name ?? null) : null };
}

function otherEnd(interfaceName: string): FoundPeer | null {
  const link = findLink(interfaceName);
  if (link === null || !link.carrier) return null;
  const greet = [
    [ALL_NODES, routerAdvertisement(link.mac === null ? null : macOctets(formatMac(link.mac)))],
    [ALL_ROUTERS, echoRequest()],
    [ALL_NODES, echoRequest()],
  ] as const;
  for (const [destination, message] of greet) {
    try {
      sendIcmp6(interfaceName, destination, message);
    } catch {
      // No link-local address yet: there will be one at the next look.
      return null;
    }
  }
  const own = new Set(
    dump(RTM_GETADDR, "list the addresses", decodeAddress).map(({ address }) => formatIpAddress(address)),
  );
  const [peer] = dump(RTM_GETNEIGH, "list the neighbours", decodeNeighbor)
    .filter((one) => one.interfaceIndex === link.index && one.mac !== null && isLinkLocal(one.address))
    .map(({ address }) => formatIpAddress(address))
    .filter((address) => !own.has(address))
    .sort();
  return peer === undefined ? null : { address: peer, interfaceName };
}

function isLinkLocal(address: IpAddress): boolean {
  const bytes = addressToBytes(address);
  return address.family === 6 && bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}

function macOctets(text: string): Uint8Array {
  return Uint8Array.from(text.split(":"), (octet) => Number.parseInt(octet, 16));
}
