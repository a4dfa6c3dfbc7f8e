/**
 * Declared routes made ready to announce: each `RouteSpec` read once, at the door, into a row and the index of its
 * attributes. What can't be announced is refused with the reason, and costs the others nothing.
 */
import { parseIpv4, parseIpv4Prefix } from "../net/ipv4.ts";
import { parseIpv6, parseIpv6Prefix } from "./ipv6-prefix.ts";
import { attributesOf, NEXT_HOP_SELF, type RouteAttributes } from "./route-attributes.ts";
import { compareRows, PREFIX_OCTETS, type RouteColumn, type RouteFamily, type RouteTable } from "./route-table.ts";
import type { RouteSpec } from "./speaker-spec.ts";

/** Of a prefix declared twice the last one counts. */
export function compileRoutes(routes: readonly RouteSpec[]): RouteTable {
  const rows = { ipv4: new GrowingColumn("ipv4"), ipv6: new GrowingColumn("ipv6") };
  const refused: string[] = [];
  const attributes: RouteAttributes[] = [];
  const indexes = new Map<string, number>();
  let before: RouteSpec | null = null;
  let found: RouteAttributes | string = "";
  let index = 0;
  let suits = { ipv4: false, ipv6: false };
  for (const route of routes) {
    // Neighbours in a long list mostly share their lists as well: no need to spell out who they are.
    if (before === null || !sharesLists(before, route)) {
      found = attributesOf(route);
      suits = { ipv4: isNextHop(route.nextHop, true), ipv6: isNextHop(route.nextHop, false) };
      if (typeof found !== "string") {
        index = indexes.get(found.identity) ?? attributes.length;
        if (index === attributes.length) {
          indexes.set(found.identity, index);
          attributes.push(found);
        }
      }
    }
    before = route;
    const { prefix, nextHop } = route;
    if (typeof found === "string") {
      refused.push(`${prefix}: ${found}`);
      continue;
    }
    const four = parseIpv4Prefix(prefix);
    if (four !== null) {
      if (suits.ipv4) rows.ipv4.addIpv4(four.address, four.length, index);
      else refused.push(`${prefix}: next hop ${nextHop} is no address`);
      continue;
    }
    const six = parseIpv6Prefix(prefix);
    if (six === null) refused.push(`${prefix}: not a prefix`);
    else if (suits.ipv6) rows.ipv6.add(six.bytes, six.length, index);
    else refused.push(`${prefix}: next hop ${nextHop} is not IPv6`);
  }
  return { ipv4: rows.ipv4.finish(), ipv6: rows.ipv6.finish(), attributes, refused };
}

function sharesLists(left: RouteSpec, right: RouteSpec): boolean {
  return (
    left.nextHop === right.nextHop &&
    left.localPreference === right.localPreference &&
    left.med === right.med &&
    left.asPath === right.asPath &&
    left.communities === right.communities &&
    left.largeCommunities === right.largeCommunities
  );
}

/** An IPv4 route may have a next hop of either family (RFC 8950). */
function isNextHop(text: string, isIpv4Route: boolean): boolean {
  return text === NEXT_HOP_SELF || (isIpv4Route && parseIpv4(text) !== null) || parseIpv6(text) !== null;
}

class GrowingColumn {
  readonly #octets: number;
  #prefixes: Uint8Array;
  #attributes: Uint32Array;
  #rows = 0;
  #isAscending = true;

  constructor(afi: RouteFamily) {
    this.#octets = PREFIX_OCTETS[afi];
    this.#prefixes = new Uint8Array(16 * this.#octets);
    this.#attributes = new Uint32Array(16);
  }

  add(address: Uint8Array, length: number, attributes: number): void {
    const at = this.#room();
    this.#prefixes.set(address, at);
    this.#close(length, attributes);
  }

  addIpv4(address: number, length: number, attributes: number): void {
    const at = this.#room();
    const prefixes = this.#prefixes;
    prefixes[at] = address >>> 24;
    prefixes[at + 1] = address >>> 16;
    prefixes[at + 2] = address >>> 8;
    prefixes[at + 3] = address;
    this.#close(length, attributes);
  }

  /** The rows in ascending order, each prefix once. */
  finish(): RouteColumn {
    const octets = this.#octets;
    const [from, rows] = [this.#prefixes, this.#rows];
    if (this.#isAscending) {
      return { prefixes: from.slice(0, rows * octets), attributes: this.#attributes.slice(0, rows) };
    }
    const order = ascending(from, rows, octets);
    const prefixes = new Uint8Array(rows * octets);
    const attributes = new Uint32Array(rows);
    let to = 0;
    for (const row of order) {
      // The order of equal rows is that of their declaration: the last one takes the place.
      if (to > 0 && compareRows(prefixes, to - 1, from, row, octets) === 0) to--;
      prefixes.set(from.subarray(row * octets, (row + 1) * octets), to * octets);
      attributes[to++] = this.#attributes[row]!;
    }
    return { prefixes: prefixes.slice(0, to * octets), attributes: attributes.slice(0, to) };
  }

  #room(): number {
    if (this.#rows === this.#attributes.length) {
      const prefixes = new Uint8Array(2 * this.#prefixes.length);
      const attributes = new Uint32Array(2 * this.#attributes.length);
      prefixes.set(this.#prefixes);
      attributes.set(this.#attributes);
      this.#prefixes = prefixes;
      this.#attributes = attributes;
    }
    return this.#rows * this.#octets;
  }

  #close(length: number, attributes: number): void {
    const row = this.#rows++;
    this.#prefixes[(row + 1) * this.#octets - 1] = length;
    this.#attributes[row] = attributes;
    if (row > 0 && compareRows(this.#prefixes, row - 1, this.#prefixes, row, this.#octets) >= 0) {
      this.#isAscending = false;
    }
  }
}

/** Row numbers in ascending order, equal rows in their own: sorted octet by octet, from the last to the first. */
function ascending(prefixes: Uint8Array, rows: number, octets: number): Uint32Array {
  let order = Uint32Array.from({ length: rows }, (_, row) => row);
  let next = new Uint32Array(rows);
  const places = new Uint32Array(257);
  for (let octet = octets - 1; octet >= 0; octet--) {
    places.fill(0);
    for (let row = 0; row < rows; row++) places[prefixes[row * octets + octet]! + 1]!++;
    for (let value = 1; value < 257; value++) places[value]! += places[value - 1]!;
    for (let i = 0; i < rows; i++) {
      const row = order[i]!;
      next[places[prefixes[row * octets + octet]!]!++] = row;
    }
    [order, next] = [next, order];
  }
  return order;
}
