/**
 * Declared routes as columns: what sessions announce, compare and share.
 *
 *     prefixes    | address octets, length | address octets, length | ...    5 octets a row in IPv4, 17 in IPv6
 *     attributes  | index                  | index                  | ...    into the table's list
 *
 * Rows are in ascending order, so two tables are compared by walking both once, and a prefix is found by halving. A
 * million routes are 9 MB, where a map from numbers to objects takes 65 (bench/bgp.ts). Plain data: a table crosses
 * threads as it is.
 */
import { formatIpv4, ipv4FromNumber, parseIpv4Prefix } from "../net/ipv4.ts";
import { formatIpv6Prefix, parseIpv6Prefix } from "./ipv6-prefix.ts";
import { readU32 } from "./octets.ts";
import type { RouteAttributes } from "./route-attributes.ts";

export type RouteFamily = "ipv4" | "ipv6";

/** Octets of a row: those of an address, and the length. */
export const PREFIX_OCTETS: Readonly<Record<RouteFamily, number>> = { ipv4: 5, ipv6: 17 };

export interface RouteColumn {
  readonly prefixes: Uint8Array;
  readonly attributes: Uint32Array;
}

export interface RouteTable {
  readonly ipv4: RouteColumn;
  readonly ipv6: RouteColumn;
  readonly attributes: readonly RouteAttributes[];
  /** Declared routes that cannot be announced, each with the reason. */
  readonly refused: readonly string[];
}

const NO_ROWS: RouteColumn = { prefixes: new Uint8Array(0), attributes: new Uint32Array(0) };
export const NO_ROUTES: RouteTable = { ipv4: NO_ROWS, ipv6: NO_ROWS, attributes: [], refused: [] };

export function tableSize({ ipv4, ipv6 }: RouteTable): number {
  return ipv4.attributes.length + ipv6.attributes.length;
}

/** The table with the routes of one family alone. */
export function onlyFamily(table: RouteTable, afi: RouteFamily): RouteTable {
  return afi === "ipv4" ? { ...table, ipv6: NO_ROWS } : { ...table, ipv4: NO_ROWS };
}

/** `192.0.2.0/24`. */
export function rowText({ prefixes }: RouteColumn, afi: RouteFamily, row: number): string {
  const octets = PREFIX_OCTETS[afi];
  const at = row * octets;
  const length = prefixes[at + octets - 1]!;
  if (afi === "ipv4") return `${formatIpv4(ipv4FromNumber(readU32(prefixes, at)))}/${length}`;
  return formatIpv6Prefix({ bytes: prefixes.subarray(at, at + 16), length });
}

/** The octets of a row for `text`; `null` when it is no prefix of the family. */
function rowOctets(text: string, afi: RouteFamily): Uint8Array | null {
  if (afi === "ipv4") {
    const prefix = parseIpv4Prefix(text);
    if (prefix === null) return null;
    const { address, length } = prefix;
    return Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address, length);
  }
  const prefix = parseIpv6Prefix(text);
  return prefix === null ? null : Uint8Array.of(...prefix.bytes, prefix.length);
}

/** The attributes that the table has for a prefix; `null` for none, `"unreadable"` for what is no prefix. */
export function findRoute(table: RouteTable, text: string): RouteAttributes | null | "unreadable" {
  const afi = text.includes(":") ? "ipv6" : "ipv4";
  const wanted = rowOctets(text, afi);
  if (wanted === null) return "unreadable";
  const { prefixes, attributes } = table[afi];
  let [low, high] = [0, attributes.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareRows(prefixes, middle, wanted, 0, wanted.length) < 0) low = middle + 1;
    else high = middle;
  }
  const isThere = low < attributes.length && compareRows(prefixes, low, wanted, 0, wanted.length) === 0;
  return isThere ? table.attributes[attributes[low]!]! : null;
}

/** Negative, 0 or positive as row `i` of `left` stands to row `j` of `right`, rows of `octets` each. */
export function compareRows(left: Uint8Array, i: number, right: Uint8Array, j: number, octets: number): number {
  const atLeft = i * octets;
  const atRight = j * octets;
  for (let at = 0; at < octets; at++) {
    const difference = left[atLeft + at]! - right[atRight + at]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The rows whose attributes `isKept` accepts: the column itself when that is all of them, which is the rule. */
export function keptRows(column: RouteColumn, octets: number, isKept: readonly boolean[]): RouteColumn {
  const { prefixes, attributes } = column;
  if (attributes.every((index) => isKept[index])) return column;
  const rows = attributes.reduce((count, index) => count + (isKept[index] ? 1 : 0), 0);
  const kept = { prefixes: new Uint8Array(rows * octets), attributes: new Uint32Array(rows) };
  let to = 0;
  for (let row = 0; row < attributes.length; row++) {
    if (!isKept[attributes[row]!]) continue;
    kept.prefixes.set(prefixes.subarray(row * octets, (row + 1) * octets), to * octets);
    kept.attributes[to++] = attributes[row]!;
  }
  return kept;
}

/** Two declarations that say the same, so that what was made of one serves for the other. */
export function sameTable(left: RouteTable, right: RouteTable): boolean {
  if (left === right) return true;
  return (
    sameItems(left.refused, right.refused) &&
    sameItems(
      left.attributes.map(({ identity }) => identity),
      right.attributes.map(({ identity }) => identity),
    ) &&
    (["ipv4", "ipv6"] as const).every(
      (afi) =>
        sameItems(left[afi].prefixes, right[afi].prefixes) && sameItems(left[afi].attributes, right[afi].attributes),
    )
  );
}

function sameItems<T>(left: ArrayLike<T>, right: ArrayLike<T>): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}
