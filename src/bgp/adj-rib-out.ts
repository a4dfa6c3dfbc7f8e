/**
 * Adj-RIB-Out of one session: what the peer has been told, and the UPDATEs that make it match what is declared.
 *
 * Declarative: `announce(table)` compares with what was sent and answers whole messages, withdrawals first. The first call
 * after the session came up ends with End-of-RIB for each family (RFC 4724 §2). Owns the record of what was sent; a
 * message that was returned counts as sent.
 */

import type { Ipv6Prefix } from "./ipv6-prefix.ts";
import { NO_ATTRIBUTES, type WireSession } from "./message.ts";
import { encodeMessage } from "./message-codec.ts";
import type { Negotiated } from "./negotiation.ts";
import { NO_IPV4_NLRI, type PrefixKey } from "./nlri.ts";
import { type Ipv6Route, NO_ROUTES, type RouteAttributes, type RouteTable } from "./route-attributes.ts";
import { packIpv4Announce, packIpv4Withdraw, packIpv6Announce, packIpv6Withdraw } from "./update-packer.ts";

export class AdjRibOut {
  readonly #negotiated: Negotiated;
  #sent: RouteTable = NO_ROUTES;
  #endOfRibSent = false;

  constructor(negotiated: Negotiated) {
    this.#negotiated = negotiated;
  }

  /** Routes the peer has. */
  get size(): number {
    return this.#sent.ipv4.size + this.#sent.ipv6.size;
  }

  get sent(): RouteTable {
    return this.#sent;
  }

  announce(declared: RouteTable): Uint8Array[] {
    const wanted = this.#spoken(declared);
    const messages = updatesBetween(this.#sent, wanted, this.#negotiated.wire);
    this.#sent = wanted;
    if (!this.#endOfRibSent) {
      this.#endOfRibSent = true;
      messages.push(...this.#negotiated.families.map((family) => endOfRib(family.afi, this.#negotiated.wire)));
    }
    return messages;
  }

  /** Everything again, for a ROUTE-REFRESH of one family (RFC 2918). */
  refresh(afi: "ipv4" | "ipv6"): Uint8Array[] {
    const wanted = afi === "ipv4" ? { ...this.#sent, ipv6: NO_ROUTES.ipv6 } : { ...this.#sent, ipv4: NO_ROUTES.ipv4 };
    return updatesBetween(NO_ROUTES, wanted, this.#negotiated.wire);
  }

  /** The declared routes whose family the session carries. */
  #spoken(declared: RouteTable): RouteTable {
    const speaks = (afi: string) => this.#negotiated.families.some((family) => family.afi === afi);
    return {
      ipv4: speaks("ipv4") ? declared.ipv4 : NO_ROUTES.ipv4,
      ipv6: speaks("ipv6") ? declared.ipv6 : NO_ROUTES.ipv6,
      refused: declared.refused,
    };
  }
}

function endOfRib(afi: "ipv4" | "ipv6", wire: WireSession): Uint8Array {
  const mpUnreach = afi === "ipv6" ? ({ family: "ipv6", nlri: { prefixes: [], pathIds: null } } as const) : null;
  const attributes = { ...NO_ATTRIBUTES, mpUnreach };
  return encodeMessage({ type: "UPDATE", withdrawn: NO_IPV4_NLRI, attributes, nlri: NO_IPV4_NLRI }, wire);
}

/** The messages that turn `from` into `to` at the peer. */
function updatesBetween(from: RouteTable, to: RouteTable, wire: WireSession): Uint8Array[] {
  const gone4: PrefixKey[] = [];
  for (const key of from.ipv4.keys()) if (!to.ipv4.has(key)) gone4.push(key);
  const gone6: Ipv6Prefix[] = [];
  for (const [text, route] of from.ipv6) if (!to.ipv6.has(text)) gone6.push(route.prefix);

  const new4 = new Map<string, { attributes: RouteAttributes; keys: PrefixKey[] }>();
  for (const [key, attributes] of to.ipv4) {
    if (from.ipv4.get(key)?.identity === attributes.identity) continue;
    const group = new4.get(attributes.identity);
    if (group === undefined) new4.set(attributes.identity, { attributes, keys: [key] });
    else group.keys.push(key);
  }
  const new6 = new Map<string, Ipv6Route[]>();
  for (const [text, route] of to.ipv6) {
    if (from.ipv6.get(text)?.attributes.identity === route.attributes.identity) continue;
    const group = new6.get(route.attributes.identity);
    if (group === undefined) new6.set(route.attributes.identity, [route]);
    else group.push(route);
  }

  const messages = [...packIpv4Withdraw(gone4), ...packIpv6Withdraw(gone6)];
  for (const { attributes, keys } of new4.values()) messages.push(...packIpv4Announce(attributes, keys, wire));
  for (const routes of new6.values()) {
    const prefixes = routes.map((route) => route.prefix);
    messages.push(...packIpv6Announce(routes[0]!.attributes, prefixes, wire));
  }
  return messages;
}
