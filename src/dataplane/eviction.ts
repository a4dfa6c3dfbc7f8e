/**
 * Room in a full flow table. Flows that nobody has answered yet go first, the oldest of them: a flood of SYNs or datagrams
 * then turns over its own rows, and established flows lose nothing.
 *
 * A row that is withdrawn can't be claimed at once (flow-table.ts), so room is made ahead: as soon as a new row had to go
 * far from its home, for the next one. Judged by the rows alone: looking for the other direction of each of 64 rows would
 * cost more than the flood's own frames.
 */
import { PROTOCOL_UDP } from "../wire/ipv4.ts";
import { ACK, FIN } from "../wire/transport.ts";
import { FLOWS_EVICTED } from "./counters.ts";
import { endFlow, FlowEnd } from "./flow-end.ts";
import type { FlowKey } from "./flow-key.ts";
import { type FlowTable, NO_ROW, PROBE_LIMIT, TAG_PROTOCOL } from "./flow-table.ts";
import type { Pipeline } from "./pipeline.ts";
import { STATE_FLAGS } from "./state-word.ts";

/** A row so many slots from its home says that there is little room left here. */
const CROWDED = PROBE_LIMIT / 2;

/** As `FlowTable.claim`; evicts a flow near by when room is short. */
export function claimRow(
  pipeline: Pipeline,
  flows: FlowTable,
  hash: number,
  key: FlowKey,
  protocol: number,
  reply: number,
): number {
  const { now, counters } = pipeline;
  const row = flows.claim(hash, key, protocol, reply, now);
  if (row !== NO_ROW && flows.distance(row, hash) < CROWDED) return row;
  const victim = oldestUnanswered(flows, hash, now);
  if (victim !== NO_ROW) {
    endFlow(flows, victim, flows.peer(victim), FlowEnd.evicted, now);
    counters.totals[FLOWS_EVICTED]! += 1;
  }
  return row;
}

/** One that is silent for a second at least: a handshake in its first round trip is no victim. */
function oldestUnanswered(flows: FlowTable, hash: number, now: number): number {
  const { words, layout } = flows;
  let oldest = NO_ROW;
  let seconds = 0;
  for (let probe = 0; probe < PROBE_LIMIT; probe++) {
    const row = flows.slot(hash, probe);
    const silent = now - words[row + layout.lastSeen]!;
    if (silent <= seconds || !flows.isLive(row) || !isUnanswered(flows, row)) continue;
    oldest = row;
    seconds = silent;
  }
  return oldest;
}

/** A request whose sender has not said that it was answered, or a reply row without a reply. */
function isUnanswered(flows: FlowTable, row: number): boolean {
  const { words, layout } = flows;
  if (flows.isReply(row)) return (words[row + layout.packets]! | words[row + layout.packets + 1]!) === 0;
  if ((words[row + layout.tag]! & TAG_PROTOCOL) === PROTOCOL_UDP) return false;
  return (words[row + layout.state]! & STATE_FLAGS & (ACK | FIN)) === 0;
}
