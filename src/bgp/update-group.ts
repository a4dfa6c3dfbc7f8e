/**
 * The UPDATEs between two tables of routes, made once for all sessions that would send the same octets.
 *
 * A session asks with the table that its peer has, the table that it is to have, and its export policy. Tables are shared
 * (`RouteTables` gives equal declarations one table), so that asking again is a comparison of references. Kept are only
 * the last few answers: sessions of a group ask one after another, when a declaration changes.
 */
import type { ExportPolicy } from "./export-policy.ts";
import type { Ipv6Prefix } from "./ipv6-prefix.ts";
import type { PrefixKey } from "./nlri.ts";
import {
  compileRoutes,
  type Ipv6Route,
  type RouteAttributes,
  type RouteTable,
  sameRoutes,
} from "./route-attributes.ts";
import type { RouteSpec } from "./speaker-spec.ts";
import { packIpv4Announce, packIpv4Withdraw, packIpv6Announce, packIpv6Withdraw } from "./update-packer.ts";

const ANSWERS_KEPT = 4;

interface Answer {
  readonly from: RouteTable;
  readonly to: RouteTable;
  readonly key: string;
  readonly messages: readonly Uint8Array[];
}

export class UpdateGroups {
  #answers: Answer[] = [];
  /** What sessions of one kind make of a declared table; gone with the table. */
  readonly #derived = new WeakMap<RouteTable, Map<string, RouteTable>>();

  /** The messages that turn `from` into `to` at the peer. With `again`, routes in both are announced anew. */
  updatesBetween(from: RouteTable, to: RouteTable, policy: ExportPolicy, again: boolean): readonly Uint8Array[] {
    const key = `${policy.key} ${again}`;
    const known = this.#answers.find((one) => one.from === from && one.to === to && one.key === key);
    if (known !== undefined) return known.messages;
    const messages = makeUpdates(from, to, policy, again);
    this.#answers = [{ from, to, key, messages }, ...this.#answers.slice(0, ANSWERS_KEPT - 1)];
    return messages;
  }

  /** The part of a table that sessions of one kind carry: the same object for all of them. */
  derived(declared: RouteTable, kind: string, make: () => RouteTable): RouteTable {
    const byKind = this.#derived.get(declared) ?? new Map<string, RouteTable>();
    const table = byKind.get(kind) ?? make();
    this.#derived.set(declared, byKind.set(kind, table));
    return table;
  }

  /** Lets go of the messages once every session has them. */
  forget(): void {
    this.#answers = [];
  }
}

function makeUpdates(from: RouteTable, to: RouteTable, policy: ExportPolicy, again: boolean): Uint8Array[] {
  const gone4: PrefixKey[] = [];
  for (const key of from.ipv4.keys()) if (!to.ipv4.has(key)) gone4.push(key);
  const gone6: Ipv6Prefix[] = [];
  for (const [text, route] of from.ipv6) if (!to.ipv6.has(text)) gone6.push(route.prefix);

  const new4 = new Map<string, { attributes: RouteAttributes; keys: PrefixKey[] }>();
  for (const [key, attributes] of to.ipv4) {
    if (!again && from.ipv4.get(key)?.identity === attributes.identity) continue;
    const group = new4.get(attributes.identity);
    if (group === undefined) new4.set(attributes.identity, { attributes, keys: [key] });
    else group.keys.push(key);
  }
  const new6 = new Map<string, Ipv6Route[]>();
  for (const [text, route] of to.ipv6) {
    if (!again && from.ipv6.get(text)?.attributes.identity === route.attributes.identity) continue;
    const group = new6.get(route.attributes.identity);
    if (group === undefined) new6.set(route.attributes.identity, [route]);
    else group.push(route);
  }

  const messages = [...packIpv4Withdraw(gone4), ...packIpv6Withdraw(gone6)];
  for (const { attributes, keys } of new4.values()) messages.push(...packIpv4Announce(attributes, keys, policy));
  for (const routes of new6.values()) {
    const prefixes = routes.map((route) => route.prefix);
    messages.push(...packIpv6Announce(routes[0]!.attributes, prefixes, policy));
  }
  return messages;
}

/** Declarations made ready, the same table for equal ones. */
export class RouteTables {
  #known: { readonly routes: readonly RouteSpec[]; readonly table: RouteTable }[] = [];

  compile(routes: readonly RouteSpec[]): RouteTable {
    const known = this.#known.find((one) => sameRoutes(one.routes, routes));
    if (known !== undefined) return known.table;
    const table = compileRoutes(routes);
    this.#known.push({ routes, table });
    return table;
  }

  /** Keeps only what sessions still have. */
  keep(tables: ReadonlySet<RouteTable>): void {
    this.#known = this.#known.filter(({ table }) => tables.has(table));
  }
}
