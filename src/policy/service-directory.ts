/** The Services that a worker serves, by name: for views, which show names, and for answers that name another Service. */
import { addressWords } from "../dataplane/address-hash.ts";
import { PROTOCOL_NUMBER } from "../dataplane/forwarding-layout.ts";
import { type ForwardingTable, NO_VIP } from "../dataplane/forwarding-table.ts";
import type { IdRegistry } from "../dataplane/id-registry.ts";
import { swap16 } from "../wire/raw.ts";

/** A VIP as it crosses threads. */
export interface DirectoryEntry {
  readonly vipId: number;
  readonly service: string;
  /** Four raw words. */
  readonly address: Int32Array;
  readonly port: number;
  /** IP protocol number. */
  readonly protocol: number;
}

/** What is served by the VIPs that have ids. */
export function directoryOf(ids: IdRegistry): ServiceDirectory {
  return new ServiceDirectory(directoryEntries(ids));
}

export function directoryEntries(ids: IdRegistry): DirectoryEntry[] {
  return [...ids.vips()].map(([vipId, { service, address, port, protocol }]) => ({
    vipId,
    service,
    address: addressWords(address),
    port,
    protocol: PROTOCOL_NUMBER[protocol],
  }));
}

export class ServiceDirectory {
  readonly #names = new Map<number, string>();
  readonly #entries: ReadonlyMap<string, readonly DirectoryEntry[]>;

  constructor(entries: readonly DirectoryEntry[]) {
    for (const { vipId, service } of entries) this.#names.set(vipId, service);
    this.#entries = Map.groupBy(entries, ({ service }) => service);
  }

  name(vipId: number): string {
    return this.#names.get(vipId) ?? "";
  }

  /** The row of a Service's VIP by protocol, with that port where there is one; `NO_VIP` when there is none at all. */
  find(service: string, port: number, protocol: number, table: ForwardingTable): number {
    const entries = this.#entries.get(service);
    if (entries === undefined) return NO_VIP;
    let found: DirectoryEntry | null = null;
    for (const entry of entries) {
      if (entry.protocol !== protocol) continue;
      if (found === null || entry.port === port) found = entry;
      if (entry.port === port) break;
    }
    return found === null ? NO_VIP : table.vip(found.address, 0, swap16(found.port), protocol);
  }
}
