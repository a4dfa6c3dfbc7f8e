/** The two flow tables as the main thread has them: it sweeps them, reroutes their flows and shows them. */
import { BackendLoad } from "../dataplane/backend-load.ts";
import type { BalancingMemory } from "../dataplane/balancing-memory.ts";
import type { HashKey } from "../dataplane/flow-hash.ts";
import type { FlowTable } from "../dataplane/flow-table.ts";
import { FlowTable4 } from "../dataplane/flow-table4.ts";
import { FlowTable6 } from "../dataplane/flow-table6.ts";
import type { BpfObject } from "../xdp/bpf.ts";

/** One table per family, over the maps that workers and programs share. */
export function openFlowTables(object: BpfObject, key: HashKey, balancing: BalancingMemory): readonly FlowTable[] {
  const load = new BackendLoad(balancing.load);
  return [
    new FlowTable4(object.map("flows").mmap(), key, load),
    new FlowTable6(object.map("flows6").mmap(), key, load),
  ];
}

/** Counts the live flows anew, before any worker opens or ends one: those that an earlier process has left. */
export function countFlows(tables: readonly FlowTable[]): void {
  tables[0]?.load.words.fill(0);
  for (const flows of tables) {
    const { words, layout, load } = flows;
    for (let row = 0; row < words.length; row += layout.words) {
      if (flows.isLive(row) && !flows.isReply(row)) load.opened(words[row + layout.owner]!);
    }
  }
}
