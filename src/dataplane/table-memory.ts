/** What the forwarding tables of one epoch and the next have in common: what did not change is made once. */
import { type CompiledVip, compileVip } from "./compiled-vip.ts";
import { DsrTable, dsrColumns } from "./dsr-table.ts";
import type { HashKey } from "./flow-hash.ts";
import { FormerChoices } from "./former-choices.ts";
import type { DsrSpec, ForwardingSpec, PortRange, VipSpec } from "./forwarding-spec.ts";
import type { IdRegistry } from "./id-registry.ts";
import { MaglevMemory } from "./maglev-memory.ts";
import { type SourcePortColumns, sourcePortColumns } from "./source-ports.ts";

export class TableMemory {
  readonly maglev: MaglevMemory;
  readonly former = new FormerChoices();
  #maglevTableSize = 0;
  #compiled = new WeakMap<VipSpec, CompiledVip>();
  #dsr: DsrSpec | null = null;
  #ranges: readonly PortRange[] = [];
  #sourcePorts: SourcePortColumns = sourcePortColumns([]);

  /** All epochs have the same key. */
  constructor(key: HashKey) {
    this.maglev = new MaglevMemory(key);
  }

  /** Begins an epoch. */
  begin({ maglevTableSize }: ForwardingSpec): void {
    if (maglevTableSize !== this.#maglevTableSize) this.former.clear();
    this.#maglevTableSize = maglevTableSize;
    this.maglev.begin(maglevTableSize);
  }

  sourcePorts(ranges: readonly PortRange[]): SourcePortColumns {
    if (ranges !== this.#ranges) this.#sourcePorts = sourcePortColumns(ranges);
    this.#ranges = ranges;
    return this.#sourcePorts;
  }

  /**
   * Fills the Maglev tables that a spec needs, one a step: 10,000 new ones take seconds, which nobody should wait through.
   * The table that is built next finds them done.
   */
  *fill(spec: ForwardingSpec, ids: IdRegistry): Generator<void> {
    this.begin(spec);
    for (const { maglev, serving } of this.compiled(spec, ids, new DsrTable(dsrColumns(spec.dsr)))) {
      if (maglev === null) continue;
      this.maglev.place(maglev, serving);
      yield;
    }
  }

  compiled(spec: ForwardingSpec, ids: IdRegistry, ends: DsrTable): readonly CompiledVip[] {
    if (spec.dsr !== this.#dsr) this.#compiled = new WeakMap();
    this.#dsr = spec.dsr;
    return spec.vips.map((vip) => {
      const own = ids.of(vip);
      const known = this.#compiled.get(vip);
      if (known?.ids === own) return known;
      const made = compileVip(vip, own, ends);
      this.#compiled.set(vip, made);
      return made;
    });
  }
}
