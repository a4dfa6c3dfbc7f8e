/**
 * The Maglev tables of the last epoch, so that one is only computed again when its backends changed: with 10,000 VIPs a
 * changed endpoint would otherwise cost 10,000 tables, a millisecond each. Remembers views of the epoch's own memory, no
 * copies.
 */
import { formatIpAddress } from "../net/ip-address.ts";
import type { HashKey } from "./flow-hash.ts";
import { fillMaglev, type MaglevBackend } from "./maglev.ts";

export class MaglevMemory {
  #last = new Map<string, Uint16Array>();
  #next = new Map<string, Uint16Array>();

  /** As `fillMaglev`; all calls have the same key. */
  fill(table: Uint16Array, backends: readonly MaglevBackend[], key: HashKey): void {
    const name = backends.map(({ address, port, weight }) => `${formatIpAddress(address)} ${port} ${weight}`).join();
    const known = this.#last.get(name);
    if (known?.length === table.length) table.set(known);
    else fillMaglev(table, backends, key);
    this.#next.set(name, table);
  }

  /** The tables of this epoch are complete; those before are forgotten. */
  endEpoch(): void {
    this.#last = this.#next;
    this.#next = new Map();
  }
}
