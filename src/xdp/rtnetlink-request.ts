/** The rtnetlink requests that Sluice makes of the kernel, encoded. Pure. */
import { addressBits, type IpAddress } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import {
  MessageBuilder,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
} from "./netlink-message.ts";
import {
  AF_INET,
  AF_INET6,
  addressToBytes,
  RTM_DELLINK,
  RTM_DELROUTE,
  RTM_GETNSID,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
} from "./rtnetlink.ts";

const ACTION = NLM_F_REQUEST | NLM_F_ACK;

/** Asks for a whole table: RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE or RTM_GETNEIGH, of both families. */
export function encodeDump(type: number): Uint8Array {
  // Each fixed part begins with the family, 0 for all; the longest has 16 bytes, and the kernel takes a longer one.
  return new MessageBuilder(type, NLM_F_REQUEST | NLM_F_DUMP, new Uint8Array(16)).finish();
}

export interface VethPair {
  readonly name: string;
  readonly peer: string;
  /** Receive and transmit queues of both ends. */
  readonly queues: number;
}

const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
const VETH_INFO_PEER = 1;

export function encodeCreateVeth({ name, peer, queues }: VethPair): Uint8Array {
  const describe = (message: MessageBuilder, end: string) =>
    message.text(IFLA_IFNAME, end).uint32(IFLA_NUM_TX_QUEUES, queues).uint32(IFLA_NUM_RX_QUEUES, queues);
  const message = new MessageBuilder(RTM_NEWLINK, ACTION | NLM_F_CREATE | NLM_F_EXCL, linkFields(0));
  describe(message, name);
  return message
    .nested(IFLA_LINKINFO, (info) =>
      info
        .text(IFLA_INFO_KIND, "veth")
        .nested(IFLA_INFO_DATA, (data) =>
          data.nested(VETH_INFO_PEER, (other) => describe(other.raw(linkFields(0)), peer)),
        ),
    )
    .finish();
}

export function encodeDeleteLink(index: number): Uint8Array {
  return new MessageBuilder(RTM_DELLINK, ACTION, linkFields(index)).finish();
}

export interface LinkSettings {
  readonly up?: boolean;
  readonly mtu?: number;
}

export function encodeSetLink(index: number, settings: LinkSettings): Uint8Array {
  const message = new MessageBuilder(RTM_NEWLINK, ACTION, linkFields(index, settings.up));
  if (settings.mtu !== undefined) message.uint32(IFLA_MTU, settings.mtu);
  return message.finish();
}

const IFF_UP = 1;

/** struct ifinfomsg. Flags change only where the last word has them set. */
function linkFields(index: number, up?: boolean): Uint8Array {
  return new Uint8Array(Uint32Array.of(0, index, up === true ? IFF_UP : 0, up === undefined ? 0 : IFF_UP).buffer);
}

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;

/** Adding an address that is there already is not an error. */
export function encodeAddAddress(index: number, address: IpAddress, prefixLength: number): Uint8Array {
  const fields = new Uint8Array(8);
  fields[0] = familyOf(address);
  fields[1] = prefixLength;
  new DataView(fields.buffer).setUint32(4, index, true);
  return new MessageBuilder(RTM_NEWADDR, ACTION | NLM_F_CREATE | NLM_F_REPLACE, fields)
    .bytes(IFA_LOCAL, addressToBytes(address))
    .bytes(IFA_ADDRESS, addressToBytes(address))
    .finish();
}

const NTF_USE = 1;
const NDA_DST = 1;

/** Makes the kernel resolve a neighbour, as if it had a packet for it; the answer comes as a notification. */
export function encodeResolveNeighbor(index: number, address: IpAddress): Uint8Array {
  const fields = new Uint8Array(12);
  const view = new DataView(fields.buffer);
  view.setUint8(0, familyOf(address));
  view.setInt32(4, index, true);
  view.setUint8(10, NTF_USE);
  return new MessageBuilder(RTM_NEWNEIGH, ACTION | NLM_F_CREATE, fields)
    .bytes(NDA_DST, addressToBytes(address))
    .finish();
}

const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;

/** A neighbour that is never asked for; one that is there is replaced. */
export function encodeSetNeighbor(index: number, address: IpAddress, mac: Mac): Uint8Array {
  const fields = new Uint8Array(12);
  const view = new DataView(fields.buffer);
  view.setUint8(0, familyOf(address));
  view.setInt32(4, index, true);
  view.setUint16(8, NUD_PERMANENT, true);
  return new MessageBuilder(RTM_NEWNEIGH, ACTION | NLM_F_CREATE | NLM_F_REPLACE, fields)
    .bytes(NDA_DST, addressToBytes(address))
    .bytes(NDA_LLADDR, macToBytes(mac))
    .finish();
}

export interface HostRoute {
  readonly destination: IpAddress;
  readonly interfaceIndex: number;
  readonly gateway: IpAddress;
  /** Source of what the node itself sends there; `null` leaves it to the kernel. */
  readonly preferredSource: IpAddress | null;
}

const RT_TABLE_MAIN = 254;
/** Marks routes as ours: no daemon's and no administrator's number. */
const RTPROT_SLUICE = 83;
const RTN_UNICAST = 1;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;

/** A route of the main table to one address; one of ours that is there is replaced. */
export function encodeSetRoute(route: HostRoute): Uint8Array {
  return routeMessage(RTM_NEWROUTE, ACTION | NLM_F_CREATE | NLM_F_REPLACE, route);
}

export function encodeDeleteRoute(route: HostRoute): Uint8Array {
  return routeMessage(RTM_DELROUTE, ACTION, route);
}

/** struct rtmsg: family, destination bits, source bits, TOS, table, protocol, scope, type, flags 32. */
function routeMessage(type: number, flags: number, route: HostRoute): Uint8Array {
  const { destination, interfaceIndex, gateway, preferredSource } = route;
  const bits = addressBits(destination.family);
  const fixed = Uint8Array.of(familyOf(destination), bits, 0, 0, RT_TABLE_MAIN, RTPROT_SLUICE, 0, RTN_UNICAST);
  const message = new MessageBuilder(type, flags, Uint8Array.of(...fixed, 0, 0, 0, 0))
    .bytes(RTA_DST, addressToBytes(destination))
    .uint32(RTA_OIF, interfaceIndex)
    .bytes(RTA_GATEWAY, addressToBytes(gateway));
  if (preferredSource !== null) message.bytes(RTA_PREFSRC, addressToBytes(preferredSource));
  return message.finish();
}

function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from({ length: 6 }, (_, i) => Math.floor(mac / 2 ** (8 * (5 - i))) & 0xff);
}

const NETNSA_FD = 3;

/** @param fd a file descriptor of the namespace. */
export function encodeAskNamespaceId(fd: number): Uint8Array {
  return new MessageBuilder(RTM_GETNSID, ACTION, new Uint8Array(4)).uint32(NETNSA_FD, fd).finish();
}

function familyOf(address: IpAddress): number {
  return address.family === 4 ? AF_INET : AF_INET6;
}
