/** Addresses that are never given to a Service, whatever a pool says. */
import type { ClusterNode } from "../intent/node.ts";
import type { IpAddress } from "../net/ip-address.ts";
import { type IpRange, parseCidrRange, rangeContains, singleAddressRange } from "../net/ip-range.ts";

export interface ReservedRange {
  readonly range: IpRange;
  /** "the address of node n1": what it is, for messages. */
  readonly what: string;
}

const SPECIAL_RANGES: readonly ReservedRange[] = [
  ["0.0.0.0/8", "no unicast address"],
  ["127.0.0.0/8", "a loopback address"],
  ["224.0.0.0/4", "a multicast address"],
  ["255.255.255.255/32", "the broadcast address"],
  ["::/127", "a loopback or unspecified address"],
  ["fe80::/10", "a link-local address"],
  ["ff00::/8", "a multicast address"],
].map(([cidr, what]) => ({ range: parseCidrRange(cidr!)!, what: what! }));

/** Taking over the address of a node or a pod would cut off the cluster itself. */
export function reservedRanges(nodes: readonly ClusterNode[]): readonly ReservedRange[] {
  const ofNodes = nodes.flatMap((node) => [
    ...node.internalAddresses.map((address) => ({
      range: singleAddressRange(address),
      what: `the address of node ${node.name}`,
    })),
    ...node.podCidrs.map(({ range }) => ({ range, what: `in the pod CIDR of node ${node.name}` })),
  ]);
  return [...SPECIAL_RANGES, ...ofNodes];
}

export function reservation(reserved: readonly ReservedRange[], address: IpAddress): string | null {
  return reserved.find(({ range }) => rangeContains(range, address))?.what ?? null;
}
