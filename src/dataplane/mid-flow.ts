/**
 * Whose a connection is that comes here in its middle, with direct server return: routers have moved it, and the node that
 * it came by before may have chosen when there were other backends than today.
 *
 * By the flow's hash there is one backend today and one of each former set (forwarding-table.ts), mostly the same. Where
 * they differ nothing in the segment tells which it is, but the backend's node knows: it sees the replies. So candidates are
 * asked in order, the newest choice first, as hosts hand on connections in Faild (J. T. Araújo et al., "Balancing on the
 * Edge", NSDI 2018) and second choices are tried in GitHub's GLB. A backend here is known to have the connection or not;
 * one elsewhere is sent the segment, and its node, if it does not know the connection, sends it on to the next. Each goes
 * further down one list, so it ends; where nodes disagree about the list, by the TTL.
 *
 * A node that has begun with empty tables can't tell what it does not know from what is not there, and would send its own
 * pods' connections away. So for a while it keeps what is for it.
 */

import { copyAddress } from "../wire/raw.ts";
import { FIN, RST } from "../wire/transport.ts";
import { choiceHash } from "./balancing.ts";
import { DsrKind } from "./egress.ts";
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, reverseKey } from "./flow-key.ts";
import { NO_ROW } from "./flow-table.ts";
import { NO_BACKEND } from "./forwarding-layout.ts";
import type { ForwardingTable } from "./forwarding-table.ts";
import type { Pipeline } from "./pipeline.ts";

/**
 * After which tables that were empty are taken to hold all that lives: whoever spoke while there was no gateway has sent
 * again by then. Longer, and new pods of this node would keep what is meant for others; shorter, and it would lose its own.
 */
export const SECONDS_TO_KNOW_ALL = 10;

/**
 * The first candidate that may have the connection, `NO_BACKEND` for none.
 * @param served the segment as the client sent it. @param hash by which its flow has chosen.
 * @param after only those behind this backend count, or all when it is none of them.
 */
function nextCandidate(
  pipeline: Pipeline,
  isIpv4: boolean,
  vip: number,
  served: FlowKey,
  hash: number,
  after: number = NO_BACKEND,
): number {
  const { table } = pipeline;
  const turns = 1 + table.formerSets(vip);
  for (let turn = 1 + turnOf(table, vip, hash, after, turns); turn < turns; turn++) {
    const backend = candidate(table, vip, hash, turn);
    if (backend === NO_BACKEND || turnOf(table, vip, hash, backend, turns) < turn) continue;
    // Over the link a frame does not tell that another node has sent it, so two nodes could send it to and fro.
    if (table.isLocal(backend) ? mayAnswerHere(pipeline, isIpv4, served, backend) : table.mode(vip) !== DsrKind.Link) {
      return backend;
    }
  }
  return NO_BACKEND;
}

/** The first candidate for the flow of `pipeline.key`; `NO_BACKEND` where today's is the only one there has been. */
export function likelyBackend(pipeline: Pipeline, isIpv4: boolean, vip: number, hash: number): number {
  const { table } = pipeline;
  const today = table.backend(vip, hash);
  for (let set = 0; set < table.formerSets(vip); set++) {
    const former = table.formerBackend(vip, set, hash);
    if (former !== NO_BACKEND && former !== today) return nextCandidate(pipeline, isIpv4, vip, pipeline.key, hash);
  }
  return NO_BACKEND;
}

/**
 * Who has the connection of a segment that another node has sent here: the backend of this node that it names, unless nothing
 * is known here of such a connection and there is another who may have it.
 */
export function heldBy(pipeline: Pipeline, isIpv4: boolean, vip: number, served: FlowKey, named: number): number {
  if (named === NO_BACKEND || mayAnswerHere(pipeline, isIpv4, served, named)) return named;
  const hash = choiceHash(pipeline, vip, pipeline.flowsOf(isIpv4).hashKey(served));
  const other = nextCandidate(pipeline, isIpv4, vip, served, hash, named);
  return other === NO_BACKEND ? named : other;
}

/** Whether a backend here may have a connection: its replies are known and it has not ended, or not all can be known yet. */
function mayAnswerHere(pipeline: Pipeline, isIpv4: boolean, served: FlowKey, backend: number): boolean {
  const { table, spareKey, otherKey } = pipeline;
  if (pipeline.now - pipeline.flowsSince < SECONDS_TO_KNOW_ALL) return true;
  const flows = pipeline.flowsOf(isIpv4);
  spareKey.set(served);
  copyAddress(spareKey, KEY_DESTINATION, table.backends, backend);
  spareKey[KEY_PORTS] = (served[KEY_PORTS]! & 0xffff) | (table.backendPort(backend) << 16);
  reverseKey(otherKey, spareKey);
  const row = flows.findKey(flows.hashKey(otherKey), otherKey);
  return row !== NO_ROW && (flows.words[row + flows.layout.state]! & (FIN | RST)) === 0;
}

/** The backend of a turn: 0 is today's. */
function candidate(table: ForwardingTable, vip: number, hash: number, turn: number): number {
  return turn === 0 ? table.backend(vip, hash) : table.formerBackend(vip, turn - 1, hash);
}

/** The first turn of a backend, -1 when it has none. */
function turnOf(table: ForwardingTable, vip: number, hash: number, backend: number, turns: number): number {
  for (let turn = 0; backend !== NO_BACKEND && turn < turns; turn++) {
    if (candidate(table, vip, hash, turn) === backend) return turn;
  }
  return -1;
}
