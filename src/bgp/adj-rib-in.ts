/**
 * Adj-RIB-In of one session: the routes that the peer announces. They are counted and shown, never installed.
 *
 * Bounded: beyond `limit` prefixes new ones are only noticed (`overflowed`), so a full table from a peer costs a known
 * amount of memory. Within one UPDATE withdrawals come first: a prefix in both lists stays (RFC 4271 §4.3).
 */
import { formatIpv4, type Ipv4 } from "../net/ipv4.ts";
import { effectiveAsPath } from "./as-path.ts";
import { formatIpv6Prefix } from "./ipv6-prefix.ts";
import type { AsSegment, PathAttributes, Update } from "./message.ts";
import { formatPrefixKey, type PrefixKey } from "./nlri.ts";

const RECEIVED_LIMIT = 200_000;

export interface ReceivedRoute {
  readonly prefix: string;
  readonly nextHop: string;
  readonly asPath: readonly AsSegment[];
}

/** What is kept of a route; routes of one UPDATE share it. */
type Shown = Omit<ReceivedRoute, "prefix">;

export class AdjRibIn {
  readonly #ipv4 = new Map<PrefixKey, Shown>();
  readonly #ipv6 = new Map<string, Shown>();
  readonly #limit: number;
  #overflowed = false;

  constructor(limit = RECEIVED_LIMIT) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#ipv4.size + this.#ipv6.size;
  }

  /** More routes came than are kept. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  take({ withdrawn, attributes, nlri }: Update): void {
    const { mpReach, mpUnreach } = attributes;
    for (const key of withdrawn.keys) this.#ipv4.delete(key);
    if (mpUnreach?.family === "ipv4") for (const key of mpUnreach.nlri.keys) this.#ipv4.delete(key);
    if (mpUnreach?.family === "ipv6") {
      for (const prefix of mpUnreach.nlri.prefixes) this.#ipv6.delete(formatIpv6Prefix(prefix));
    }
    if (nlri.keys.length > 0) this.#keepIpv4(nlri.keys, shownOf(attributes, textOf(attributes.nextHop)));
    if (mpReach === null || mpReach.family === "other") return;
    const shown = shownOf(attributes, mpReach.nextHops[0]!);
    if (mpReach.family === "ipv4") this.#keepIpv4(mpReach.nlri.keys, shown);
    else for (const prefix of mpReach.nlri.prefixes) this.#keep(this.#ipv6, formatIpv6Prefix(prefix), shown);
  }

  /** Forgets one family: it is given up for the rest of the session (RFC 7606 §2, "AFI/SAFI disable"). */
  forget(afi: "ipv4" | "ipv6"): void {
    if (afi === "ipv4") this.#ipv4.clear();
    else this.#ipv6.clear();
  }

  routes(most: number): ReceivedRoute[] {
    const found: ReceivedRoute[] = [];
    for (const [key, route] of this.#ipv4) {
      if (found.length >= most) return found;
      found.push({ prefix: formatPrefixKey(key), ...route });
    }
    for (const [prefix, route] of this.#ipv6) {
      if (found.length >= most) return found;
      found.push({ prefix, ...route });
    }
    return found;
  }

  #keepIpv4(keys: readonly PrefixKey[], route: Shown): void {
    for (const key of keys) this.#keep(this.#ipv4, key, route);
  }

  #keep<Key>(table: Map<Key, Shown>, key: Key, route: Shown): void {
    if (this.size >= this.#limit && !table.has(key)) this.#overflowed = true;
    else table.set(key, route);
  }
}

function shownOf(attributes: PathAttributes, nextHop: string): Shown {
  return { nextHop, asPath: effectiveAsPath(attributes) };
}

function textOf(nextHop: Ipv4 | null): string {
  return nextHop === null ? "" : formatIpv4(nextHop);
}
