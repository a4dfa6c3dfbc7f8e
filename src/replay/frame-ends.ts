/** Who sent a captured frame to whom: as far as learning a network from a capture needs it. */
import type { IpAddress } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import { ARP_BYTES, ARP_SENDER_ADDRESS, ARP_TARGET_ADDRESS, isIpv4OverEthernet } from "../wire/arp.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import { IPV4_DESTINATION, IPV4_HEADER_BYTES, IPV4_SOURCE } from "../wire/ipv4.ts";
import { IPV6_DESTINATION, IPV6_HEADER_BYTES, IPV6_SOURCE } from "../wire/ipv6.ts";
import { CUSTOMER_TAG, SERVICE_TAG, vlanTag } from "../wire/vlan.ts";

export interface FrameEnds {
  readonly sourceMac: Mac;
  readonly destinationMac: Mac;
  /** Raw (wire/vlan.ts), the outer one first. */
  readonly tags: readonly number[];
  /** Of the packet, or of an ARP message; `null` in anything else. */
  readonly source: IpAddress | null;
  readonly destination: IpAddress | null;
  /** Of the packet. */
  readonly packetBytes: number;
}

const TAG_BYTES = 4;

/** `null` for a frame without a whole Ethernet header. */
export function frameEnds(bytes: Uint8Array): FrameEnds | null {
  if (bytes.length < ETHERNET_HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tags: number[] = [];
  let at = ETHERNET_HEADER_BYTES;
  let type = view.getUint16(12);
  while ((type === CUSTOMER_TAG || type === SERVICE_TAG) && tags.length < 2 && at + TAG_BYTES <= bytes.length) {
    tags.push(vlanTag(type, view.getUint16(at) & 0xfff));
    type = view.getUint16(at + 2);
    at += TAG_BYTES;
  }
  const [source, destination] = addresses(view, at, type);
  return {
    destinationMac: macAt(view, 0),
    sourceMac: macAt(view, 6),
    tags,
    source,
    destination,
    packetBytes: bytes.length - at,
  };
}

function addresses(view: DataView, at: number, type: number): [IpAddress | null, IpAddress | null] {
  const left = view.byteLength - at;
  if (type === ETHERTYPE_IPV4 && left >= IPV4_HEADER_BYTES) {
    return [addressAt(view, at + IPV4_SOURCE, 4), addressAt(view, at + IPV4_DESTINATION, 4)];
  }
  if (type === ETHERTYPE_IPV6 && left >= IPV6_HEADER_BYTES) {
    return [addressAt(view, at + IPV6_SOURCE, 16), addressAt(view, at + IPV6_DESTINATION, 16)];
  }
  if (type === ETHERTYPE_ARP && left >= ARP_BYTES && isIpv4OverEthernet(view, at)) {
    return [addressAt(view, at + ARP_SENDER_ADDRESS, 4), addressAt(view, at + ARP_TARGET_ADDRESS, 4)];
  }
  return [null, null];
}

function addressAt(view: DataView, at: number, lengthBytes: 4 | 16): IpAddress {
  let value = 0n;
  for (let word = 0; word < lengthBytes; word += 4) value = (value << 32n) | BigInt(view.getUint32(at + word));
  return { family: lengthBytes === 4 ? 4 : 6, value };
}

function macAt(view: DataView, at: number): Mac {
  return (view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2)) as Mac;
}
