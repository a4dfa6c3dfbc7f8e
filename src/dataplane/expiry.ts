/**
 * The end of flows: rows that have been silent for longer than their state allows (flow-state.ts) are withdrawn, a bounded
 * number of rows per tick. One thread sweeps (the main thread); workers open and reopen flows, and evict some when the
 * table is full (eviction.ts).
 */
import { sameAddress } from "../wire/raw.ts";
import { FIN } from "../wire/transport.ts";
import { receivesDsr, sendsDsr } from "./egress.ts";
import { endFlow, FlowEnd } from "./flow-end.ts";
import { KEY_SOURCE, newFlowKey } from "./flow-key.ts";
import { flowState, lastSeen, timeoutSeconds } from "./flow-state.ts";
import { type FlowTable, NO_ROW, TAG_PROTOCOL } from "./flow-table.ts";

/** Goes round the table, a part of it at each call. */
export class FlowExpiry {
  readonly #flows: FlowTable;
  #next = 0;

  constructor(flows: FlowTable) {
    this.#flows = flows;
  }

  /** @param part of the table to look over, 0..1. @returns how many flows ended. */
  tick(part: number, now: number): number {
    const flows = this.#flows;
    const rows = Math.ceil(part * flows.capacity);
    let ended = 0;
    for (let visited = 0; visited < rows; visited++) {
      const row = this.#next * flows.layout.words;
      this.#next = this.#next + 1 === flows.capacity ? 0 : this.#next + 1;
      if (!flows.isLive(row)) continue;
      const peer = flows.peer(row);
      // A flow is judged once, at its request row; a reply row without one is judged alone.
      if (flows.isReply(row) && peer !== NO_ROW) continue;
      const state = flowState(flows, row, peer);
      const protocol = flows.words[row + flows.layout.tag]! & TAG_PROTOCOL;
      if (now - lastSeen(flows, row, peer) < timeoutSeconds(protocol, state)) continue;
      const reason = state === "closed" || state === "reset" ? FlowEnd[state] : FlowEnd.silent;
      if (endFlow(flows, row, peer, reason, now)) ended++;
    }
    return ended;
  }
}

/** A flow that has been heard of this lately has not gone elsewhere. */
const AWAY_SECONDS = 2;

/**
 * Ends the flows that may have gone on elsewhere, or ended there, while traffic did not come to this node: those sent to
 * other nodes by direct server return, and those to a pod here that has closed. A client that uses such a flow's port again
 * would meet its last connection's backend.
 * @returns how many flows ended.
 */
export function endMovedFlows(flows: FlowTable, now: number): number {
  const { words, layout } = flows;
  const key = newFlowKey();
  const translated = newFlowKey();
  let ended = 0;
  for (let row = 0; row < words.length; row += layout.words) {
    if (!flows.isLive(row) || flows.isReply(row)) continue;
    const egress = words[row + layout.egress]!;
    const peer = flows.peer(row);
    if (receivesDsr(egress) || now - lastSeen(flows, row, peer) < AWAY_SECONDS) continue;
    if (!sendsDsr(egress)) {
      if (peer === NO_ROW || (words[peer + layout.state]! & FIN) === 0) continue;
      flows.loadKey(row, key);
      flows.loadTranslation(row, translated);
      // A translated source is this node's alone, and rests until its port may be used again.
      if (!sameAddress(key, KEY_SOURCE, translated, KEY_SOURCE)) continue;
    }
    if (endFlow(flows, row, peer, FlowEnd.silent, now)) ended++;
  }
  return ended;
}

/**
 * Ends all flows whose VIP or backend is gone, in one round of the table (26 ms for a million flows).
 * @param isGone asked with the two ids in the row's owner word.
 * @returns how many flows ended.
 */
export function withdrawOwned(
  flows: FlowTable,
  isGone: (vipId: number, backendId: number) => boolean,
  reason: FlowEnd,
  now: number,
): number {
  let ended = 0;
  for (let row = 0; row < flows.words.length; row += flows.layout.words) {
    if (!flows.isLive(row)) continue;
    const owner = flows.words[row + flows.layout.owner]!;
    if (!isGone(owner >>> 16, owner & 0xffff)) continue;
    if (endFlow(flows, row, flows.peer(row), reason, now)) ended++;
  }
  return ended;
}
