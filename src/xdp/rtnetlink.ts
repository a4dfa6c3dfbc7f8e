/**
 * What rtnetlink(7) says of interfaces, addresses, routes and neighbours, decoded. Pure.
 *
 * A decoder returns `null` for what is none of our business: another table, a cloned route, a bridge's own forwarding
 * entry. Facts that the kernel did not send are `null` too, never guessed.
 */
import type { IpAddress } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import {
  type Attributes,
  attributeBytes,
  attributeText,
  attributeUint32,
  type NetlinkMessage,
  readAttributes,
} from "./netlink-message.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
export const RTM_NEWNSID = 88;
export const RTM_GETNSID = 90;

export const AF_INET = 2;
export const AF_INET6 = 10;

export interface NetworkLink {
  readonly index: number;
  readonly name: string;
  /** `null` for an interface without Ethernet addresses. */
  readonly mac: Mac | null;
  readonly mtu: number;
  /** Set up by its administrator. */
  readonly up: boolean;
  /** Able to carry frames. */
  readonly carrier: boolean;
  /** `veth`, `bridge`, `vlan`...; `null` for a physical one. */
  readonly kind: string | null;
  /** Queues that the interface was made with; those in use: `rxQueueCount` of ethtool.ts. */
  readonly rxQueues: number;
  readonly txQueues: number;
  /** The interface that this one is the other end of (a veth) or lies on (a VLAN), by its index. */
  readonly linkedTo: LinkedTo | null;
}

export interface LinkedTo {
  readonly index: number;
  /** Our number for the namespace where it is; `null` for our own. */
  readonly namespaceId: number | null;
}

export interface InterfaceAddress {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  readonly prefixLength: number;
}

export interface NextHop {
  readonly interfaceIndex: number;
  /** `null`: the destination is on the link. */
  readonly gateway: IpAddress | null;
  /** Share of the flows relative to the route's other hops, from 1. */
  readonly weight: number;
}

export interface NetworkRoute {
  readonly destination: IpAddress;
  readonly prefixLength: number;
  readonly type: "unicast" | "blackhole" | "unreachable" | "prohibit";
  /** Lower wins. */
  readonly metric: number;
  readonly preferredSource: IpAddress | null;
  /** Several for a multipath route, none unless unicast. Hops whose link is dead are left out. */
  readonly nextHops: readonly NextHop[];
}

export interface NetworkNeighbor {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  readonly mac: Mac | null;
  readonly state: NeighborState;
}

export type NeighborState =
  | "none"
  | "incomplete"
  | "reachable"
  | "stale"
  | "delay"
  | "probe"
  | "failed"
  | "noarp"
  | "permanent";

/** Whether frames may be sent to the neighbour's MAC: the kernel itself uses it in these states. */
export function isUsable(neighbor: NetworkNeighbor): boolean {
  return (
    neighbor.mac !== null && neighbor.state !== "none" && neighbor.state !== "incomplete" && neighbor.state !== "failed"
  );
}

const IFF_UP = 0x1;
const IFF_LOWER_UP = 0x10000;

/** struct ifinfomsg: family 8, pad 8, type 16, index 32, flags 32, change 32. */
export function decodeLink({ body }: NetlinkMessage): NetworkLink | null {
  // A bridge reports its ports with a family of its own.
  if (body.byteLength < 16 || body.getUint8(0) !== 0) return null;
  const attributes = readAttributes(body, 16);
  const name = attributeText(attributes, 3);
  if (name === null) return null;
  const flags = body.getUint32(8, true);
  const info = attributes.get(18);
  const linkedIndex = attributeUint32(attributes, 5);
  return {
    index: body.getInt32(4, true),
    name,
    mac: macOf(attributeBytes(attributes, 1)),
    mtu: attributeUint32(attributes, 4) ?? 0,
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    kind: info === undefined ? null : attributeText(readAttributes(info, 0), 1),
    txQueues: attributeUint32(attributes, 31) ?? 1,
    rxQueues: attributeUint32(attributes, 32) ?? 1,
    linkedTo: linkedIndex ? { index: linkedIndex, namespaceId: attributeUint32(attributes, 37) } : null,
  };
}

/** struct rtgenmsg: family 8. @returns our number for the namespace that was asked about; `null` when it has none. */
export function decodeNamespaceId({ type, body }: NetlinkMessage): number | null {
  if (type !== RTM_NEWNSID || body.byteLength < 4) return null;
  const id = attributeUint32(readAttributes(body, 4), 1);
  return id === null || id >= 0x80000000 ? null : id;
}

/** struct ifaddrmsg: family 8, prefix length 8, flags 8, scope 8, index 32. */
export function decodeAddress({ body }: NetlinkMessage): InterfaceAddress | null {
  if (body.byteLength < 8) return null;
  const attributes = readAttributes(body, 8);
  // On a point-to-point link IFA_ADDRESS is the other end's.
  const address = addressOf(attributes, 2) ?? addressOf(attributes, 1);
  return address === null ? null : { interfaceIndex: body.getUint32(4, true), address, prefixLength: body.getUint8(1) };
}

const ROUTE_TYPES: ReadonlyMap<number, NetworkRoute["type"]> = new Map([
  [1, "unicast"],
  [6, "blackhole"],
  [7, "unreachable"],
  [8, "prohibit"],
]);
const MAIN_TABLE = 254;
const RTM_F_CLONED = 0x200;

/** struct rtmsg: family, destination length, source length, TOS, table, protocol, scope, type, 8 bits each; flags 32. */
export function decodeRoute({ body }: NetlinkMessage): NetworkRoute | null {
  if (body.byteLength < 12) return null;
  const attributes = readAttributes(body, 12);
  const family = body.getUint8(0);
  const type = ROUTE_TYPES.get(body.getUint8(7));
  const table = attributeUint32(attributes, 15) ?? body.getUint8(4);
  const cloned = (body.getUint32(8, true) & RTM_F_CLONED) !== 0;
  // Source-specific and TOS routes answer questions that the datapath does not ask.
  const special = body.getUint8(2) !== 0 || body.getUint8(3) !== 0;
  if (type === undefined || table !== MAIN_TABLE || cloned || special) return null;
  if (family !== AF_INET && family !== AF_INET6) return null;
  return {
    destination: addressOf(attributes, 1) ?? { family: family === AF_INET ? 4 : 6, value: 0n },
    prefixLength: body.getUint8(1),
    type,
    metric: attributeUint32(attributes, 6) ?? 0,
    preferredSource: addressOf(attributes, 7),
    nextHops: type === "unicast" ? nextHopsOf(attributes, body.getUint32(8, true)) : [],
  };
}

const RTNH_F_DEAD_OR_LINKDOWN = 0x1 | 0x10;

/** One hop in the route itself, or RTA_MULTIPATH: struct rtnexthop {length 16, flags 8, hops 8, index 32} + attributes. */
function nextHopsOf(attributes: Attributes, routeFlags: number): NextHop[] {
  const several = attributes.get(9);
  if (several === undefined) {
    const interfaceIndex = attributeUint32(attributes, 4);
    if (interfaceIndex === null || (routeFlags & RTNH_F_DEAD_OR_LINKDOWN) !== 0) return [];
    return [{ interfaceIndex, gateway: gatewayOf(attributes), weight: 1 }];
  }
  const hops: NextHop[] = [];
  let at = 0;
  while (at + 8 <= several.byteLength) {
    const length = several.getUint16(at, true);
    if (length < 8 || at + length > several.byteLength) break;
    const hop = new DataView(several.buffer, several.byteOffset + at, length);
    if ((hop.getUint8(2) & RTNH_F_DEAD_OR_LINKDOWN) === 0) {
      hops.push({
        interfaceIndex: hop.getInt32(4, true),
        gateway: gatewayOf(readAttributes(hop, 8)),
        weight: hop.getUint8(3) + 1,
      });
    }
    at += (length + 3) & ~3;
  }
  return hops;
}

/** RTA_GATEWAY, or RTA_VIA {family 16, address}: an IPv4 route over an IPv6 router. */
function gatewayOf(attributes: Attributes): IpAddress | null {
  const via = attributeBytes(attributes, 18);
  return addressOf(attributes, 5) ?? (via === null ? null : addressFromBytes(via.subarray(2)));
}

const NEIGHBOR_STATES: ReadonlyMap<number, NeighborState> = new Map([
  [0x00, "none"],
  [0x01, "incomplete"],
  [0x02, "reachable"],
  [0x04, "stale"],
  [0x08, "delay"],
  [0x10, "probe"],
  [0x20, "failed"],
  [0x40, "noarp"],
  [0x80, "permanent"],
]);

/** struct ndmsg: family 8, pad 8, pad 16, index 32, state 16, flags 8, type 8. */
export function decodeNeighbor({ body }: NetlinkMessage): NetworkNeighbor | null {
  if (body.byteLength < 12) return null;
  const family = body.getUint8(0);
  if (family !== AF_INET && family !== AF_INET6) return null;
  const attributes = readAttributes(body, 12);
  const address = addressOf(attributes, 1);
  const state = NEIGHBOR_STATES.get(body.getUint16(8, true));
  if (address === null || state === undefined) return null;
  return { interfaceIndex: body.getInt32(4, true), address, mac: macOf(attributeBytes(attributes, 2)), state };
}

function addressOf(attributes: Attributes, type: number): IpAddress | null {
  const bytes = attributeBytes(attributes, type);
  return bytes === null ? null : addressFromBytes(bytes);
}

export function addressFromBytes(bytes: Uint8Array): IpAddress | null {
  if (bytes.length !== 4 && bytes.length !== 16) return null;
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

export function addressToBytes(address: IpAddress): Uint8Array {
  const length = address.family === 4 ? 4 : 16;
  return Uint8Array.from({ length }, (_, i) => Number((address.value >> BigInt(8 * (length - 1 - i))) & 0xffn));
}

function macOf(bytes: Uint8Array | null): Mac | null {
  return bytes?.length === 6 ? (bytes.reduce((sum, byte) => sum * 256 + byte, 0) as Mac) : null;
}
