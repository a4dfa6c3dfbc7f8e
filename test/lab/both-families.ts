/**
 * One plan of addresses for both families: the IPv6 address of a place is the four numbers of its IPv4 address, written
 * as groups after fd00: and before the last number. So a reader who knows 10.0.5.11 knows fd00:10:0:5::11, and what is
 * written for one family can be run in the other.
 */
import { formatIpAddress, parseIpAddress } from "../../src/net/ip-address.ts";

export type Family = "ipv4" | "ipv6";

/** Prefix lengths that mean the same: a host, a link or the pods of a node, a pool of 256 addresses. */
const IPV6_LENGTHS: Record<string, number> = { "32": 128, "24": 64 };
const POOL_LENGTH = 120;

const IPV4 = /\b(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?/g;

/** `"10.0.5.11"` gives `"fd00:10:0:5::11"`, `"10.0.5.11/24"` gives `"fd00:10:0:5::11/64"`. */
export function toIpv6(address: string): string {
  return address.replace(IPV4, (_all, a: string, b: string, c: string, d: string, length?: string) => {
    // As programs print it: the longest run of zeros is left out.
    const canonical = formatIpAddress(parseIpAddress(`fd00:${a}:${b}:${c}::${d}`)!);
    return `${canonical}${length === undefined ? "" : `/${IPV6_LENGTHS[length]}`}`;
  });
}

/** An address or prefix of the plan in a family. */
export function inFamily(address: string, family: Family): string {
  return family === "ipv4" ? address : toIpv6(address);
}

/**
 * A manifest with every address in the family's form, and Services that ask for the family. A pool's block stays a pool of
 * 256: nobody means to give out of 2^64.
 */
export function manifestInFamily(manifest: string, family: Family): string {
  if (family === "ipv4") return manifest;
  return manifest
    .replace(/(cidr: ")([\d.]+)\/24"/g, (_all, key: string, base: string) => `${key}${toIpv6(base)}/${POOL_LENGTH}"`)
    .replace(/^([ ]*)type: LoadBalancer *$/gm, "$1type: LoadBalancer\n$1ipFamilies: [IPv6]")
    .replace(/"[\d.]+(?:\/\d+)?"/g, toIpv6);
}

/** An address as a URL holds it. */
export function urlOf(address: string): string {
  return `http://${address.includes(":") ? `[${address}]` : address}/`;
}
