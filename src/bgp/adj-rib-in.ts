/**
 * Adj-RIB-In of one session: the routes that the peer announces. They are counted and shown, never installed.
 *
 * Bounded: beyond `limit` prefixes new ones are only noticed (`overflowed`), so a full table from a peer costs a known
 * amount of memory. Within one UPDATE withdrawals come first: a prefix in both lists stays (RFC 4271 §4.3).
 */
import { formatIpv4, type Ipv4 } from "../net/ipv4.ts";
import { effectiveAsPath } from "./as-path.ts";
import { formatExtendedCommunity } from "./extended-community.ts";
import { Ipv4RouteStore } from "./ipv4-route-store.ts";
import { formatIpv6Prefix } from "./ipv6-prefix.ts";
import {
  type AsSegment,
  INITIAL_WIRE_SESSION,
  type LargeCommunity,
  type PathAttributes,
  type Update,
} from "./message.ts";
import type { Negotiated } from "./negotiation.ts";
import type { PrefixKey } from "./nlri.ts";
import { formatCommunity } from "./route-attributes.ts";

/** The table of the Internet, and half as much again. */
const RECEIVED_LIMIT = 1_500_000;

export interface ReceivedRoute {
  readonly prefix: string;
  readonly nextHop: string;
  readonly asPath: readonly AsSegment[];
  readonly med: number | null;
  readonly localPreference: number | null;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly extendedCommunities: readonly string[];
  /** ONLY_TO_CUSTOMER, received or added on receipt (RFC 9234 §5). */
  readonly onlyToCustomer: number | null;
  /** It came up a way that routes only go down: a leak. */
  readonly leaked: boolean;
}

/** What is kept of a route; routes of one UPDATE share it. */
type Shown = Omit<ReceivedRoute, "prefix">;
type Family = "ipv4" | "ipv6";

/** What decides how its attributes are taken. */
type SendingPeer = Pick<Negotiated, "role" | "peerAsn" | "wire">;
const NOBODY: SendingPeer = { role: null, peerAsn: 0, wire: INITIAL_WIRE_SESSION };

export class AdjRibIn {
  readonly #ipv4 = new Ipv4RouteStore<Shown>();
  readonly #ipv6 = new Map<string, Shown>();
  readonly #limit: number;
  readonly #peer: SendingPeer;
  /** IPv6 routes that the peer has not repeated since its refresh began; of IPv4 the store marks them. */
  #stale6: Set<string> | null = null;
  #overflowed = false;

  constructor(peer: SendingPeer = NOBODY, limit = RECEIVED_LIMIT) {
    this.#peer = peer;
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
    if (nlri.keys.length > 0) this.#keepIpv4(nlri.keys, this.#shown(attributes, textOf(attributes.nextHop)));
    if (mpReach === null || mpReach.family === "other") return;
    const shown = this.#shown(attributes, mpReach.nextHops[0]!);
    if (mpReach.family === "ipv4") this.#keepIpv4(mpReach.nlri.keys, shown);
    else {
      for (const prefix of mpReach.nlri.prefixes) {
        const text = formatIpv6Prefix(prefix);
        this.#stale6?.delete(text);
        this.#keepIpv6(text, shown);
      }
    }
  }

  /** Forgets one family: it is given up for the rest of the session (RFC 7606 §2, "AFI/SAFI disable"). */
  forget(afi: Family): void {
    if (afi === "ipv4") this.#ipv4.clear();
    else this.#ipv6.clear();
  }

  /** The peer begins to send everything again (RFC 7313 §4). */
  beginRefresh(afi: Family): void {
    if (afi === "ipv4") this.#ipv4.mark();
    else this.#stale6 = new Set(this.#ipv6.keys());
  }

  /** The peer has sent everything: what it did not repeat is gone. */
  endRefresh(afi: Family): void {
    if (afi === "ipv4") this.#ipv4.deleteMarked();
    else {
      for (const key of this.#stale6 ?? []) this.#ipv6.delete(key);
      this.#stale6 = null;
    }
  }

  routes(most: number): ReceivedRoute[] {
    const found: ReceivedRoute[] = [];
    for (const [prefix, route] of this.#ipv4.entries()) {
      if (found.length >= most) return found;
      found.push({ prefix, ...route });
    }
    for (const [prefix, route] of this.#ipv6) {
      if (found.length >= most) return found;
      found.push({ prefix, ...route });
    }
    return found;
  }

  #keepIpv4(keys: readonly PrefixKey[], route: Shown): void {
    if (!this.#ipv4.setAll(keys, route, this.#limit - this.#ipv6.size)) this.#overflowed = true;
  }

  #keepIpv6(prefix: string, route: Shown): void {
    if (this.size >= this.#limit && !this.#ipv6.has(prefix)) this.#overflowed = true;
    else this.#ipv6.set(prefix, route);
  }

  #shown(attributes: PathAttributes, nextHop: string): Shown {
    const { wire } = this.#peer;
    return {
      nextHop,
      asPath: effectiveAsPath(attributes, wire.fourOctetAs === true),
      med: attributes.med,
      // RFC 7606 §7.5: a peer of another AS has no say in it.
      localPreference: wire.external ? null : attributes.localPreference,
      communities: attributes.communities.map(formatCommunity),
      // RFC 8092 §5: a value that stands there twice counts once.
      largeCommunities: [...new Set(attributes.largeCommunities.map(formatLargeCommunity))],
      extendedCommunities: attributes.extendedCommunities.map(formatExtendedCommunity),
      ...this.#customerMark(attributes.onlyToCustomer),
    };
  }

  /** RFC 9234 §5, ingress: our role says what the peer is. */
  #customerMark(received: number | null): Pick<Shown, "onlyToCustomer" | "leaked"> {
    const { role, peerAsn } = this.#peer;
    const fromBelow = role === "provider" || role === "route-server";
    const leaked = received !== null && (fromBelow || (role === "peer" && received !== peerAsn));
    const added = role === null || fromBelow ? null : peerAsn;
    return { onlyToCustomer: received ?? added, leaked };
  }
}

function formatLargeCommunity(community: LargeCommunity): string {
  return community.join(":");
}

function textOf(nextHop: Ipv4 | null): string {
  return nextHop === null ? "" : formatIpv4(nextHop);
}
