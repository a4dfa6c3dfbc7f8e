/**
 * The UPDATEs between two tables of routes, made once for all sessions that would send the same octets.
 *
 * A session asks with the table that its peer has, the table that it is to have, and its export policy. Tables are shared
 * (`RouteTables` gives equal declarations one table), so that asking again is a comparison of references. Kept are only
 * the last few answers: sessions of a group ask one after another, when a declaration changes.
 */
import type { ExportPolicy } from "./export-policy.ts";
import { routeDifference } from "./route-difference.ts";
import { type RouteTable, sameTable } from "./route-table.ts";
import { packAnnouncements, packWithdrawals } from "./update-packer.ts";

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
  const families = (["ipv4", "ipv6"] as const).map((afi) => ({ afi, ...routeDifference(from, to, afi, again) }));
  return [
    ...families.flatMap(({ afi, gone }) => packWithdrawals(from[afi], afi, gone)),
    ...families.flatMap(({ afi, changed }) => packAnnouncements(to, afi, changed, policy)),
  ];
}

/** Declarations, the same table for equal ones. */
export class RouteTables {
  #known: readonly RouteTable[] = [];

  /** The table that was known first, of those that say what `table` says. */
  shared(table: RouteTable): RouteTable {
    const known = this.#known.find((one) => sameTable(one, table));
    if (known !== undefined) return known;
    this.#known = [...this.#known, table];
    return table;
  }

  /** Keeps only what sessions still have. */
  keep(tables: ReadonlySet<RouteTable>): void {
    this.#known = this.#known.filter((table) => tables.has(table));
  }
}
