/**
 * Adj-RIB-Out of one session: what the peer has been told, and the UPDATEs that make it match what is declared.
 *
 * Declarative: `announce(table)` compares with what was sent and answers whole messages, withdrawals first. The first call
 * after the session came up ends with End-of-RIB for each family (RFC 4724 §2). What was sent is a reference to a table
 * that other sessions share; a message that was returned counts as sent.
 */
import { type ExportPolicy, nextHopFor } from "./export-policy.ts";
import { NO_ATTRIBUTES, type RouteRefresh, type WireSession } from "./message.ts";
import { encodeMessage } from "./message-codec.ts";
import { AFI_IPV4, AFI_IPV6, SAFI_UNICAST } from "./mp-nlri.ts";
import type { Negotiated } from "./negotiation.ts";
import { NO_IPV4_NLRI } from "./nlri.ts";
import { keptRows, NO_ROUTES, onlyFamily, PREFIX_OCTETS, type RouteTable, tableSize } from "./route-table.ts";
import { UpdateGroups } from "./update-group.ts";

/** RFC 7313 §3.2. */
const BEGIN_OF_REFRESH = 1;
const END_OF_REFRESH = 2;

export class AdjRibOut {
  readonly #negotiated: Negotiated;
  readonly #groups: UpdateGroups;
  #policy: ExportPolicy;
  #sent: RouteTable = NO_ROUTES;
  #endOfRibSent = false;

  constructor(negotiated: Negotiated, policy: ExportPolicy, groups = new UpdateGroups()) {
    this.#negotiated = negotiated;
    this.#policy = policy;
    this.#groups = groups;
  }

  /** Routes the peer has. */
  get size(): number {
    return tableSize(this.#sent);
  }

  get sent(): RouteTable {
    return this.#sent;
  }

  get policy(): ExportPolicy {
    return this.#policy;
  }

  announce(declared: RouteTable, policy = this.#policy): readonly Uint8Array[] {
    const wanted = this.#spoken(declared, policy);
    const again = policy.key !== this.#policy.key;
    this.#policy = policy;
    const updates = this.#groups.updatesBetween(this.#sent, wanted, policy, again);
    this.#sent = wanted;
    if (this.#endOfRibSent) return updates;
    this.#endOfRibSent = true;
    return [...updates, ...this.#negotiated.families.map((family) => endOfRib(family.afi, this.#negotiated.wire))];
  }

  /** Everything again, for a ROUTE-REFRESH of one family (RFC 2918), framed where the peer knows frames (RFC 7313). */
  refresh(afi: "ipv4" | "ipv6"): readonly Uint8Array[] {
    const wanted = onlyFamily(this.#sent, afi);
    const updates = this.#groups.updatesBetween(NO_ROUTES, wanted, this.#policy, false);
    if (!this.#negotiated.enhancedRefresh) return updates;
    const { wire } = this.#negotiated;
    return [refreshMark(afi, BEGIN_OF_REFRESH, wire), ...updates, refreshMark(afi, END_OF_REFRESH, wire)];
  }

  /** The declared routes that the session can carry: of its families, with a next hop that the peer can use. */
  #spoken(declared: RouteTable, policy: ExportPolicy): RouteTable {
    const speaks = (afi: string) => this.#negotiated.families.some((family) => family.afi === afi);
    const four = speaks("ipv4");
    const six = speaks("ipv6");
    return this.#groups.derived(declared, `${four} ${six} ${policy.key}`, () => {
      const { attributes } = declared;
      const rows = (afi: "ipv4" | "ipv6", isSpoken: boolean) => {
        const isUsable = attributes.map((route) => isSpoken && nextHopFor(route, afi, policy) !== null);
        return keptRows(declared[afi], PREFIX_OCTETS[afi], isUsable);
      };
      const [ipv4, ipv6] = [rows("ipv4", four), rows("ipv6", six)];
      return ipv4 === declared.ipv4 && ipv6 === declared.ipv6 ? declared : { ...declared, ipv4, ipv6 };
    });
  }
}

function endOfRib(afi: "ipv4" | "ipv6", wire: WireSession): Uint8Array {
  const mpUnreach = afi === "ipv6" ? ({ family: "ipv6", nlri: { prefixes: [], pathIds: null } } as const) : null;
  const attributes = { ...NO_ATTRIBUTES, mpUnreach };
  return encodeMessage({ type: "UPDATE", withdrawn: NO_IPV4_NLRI, attributes, nlri: NO_IPV4_NLRI }, wire);
}

function refreshMark(afi: "ipv4" | "ipv6", subtype: number, wire: WireSession): Uint8Array {
  const mark: RouteRefresh = {
    type: "ROUTE-REFRESH",
    afi: afi === "ipv4" ? AFI_IPV4 : AFI_IPV6,
    safi: SAFI_UNICAST,
    subtype,
  };
  return encodeMessage(mark, wire);
}
