/**
 * Source NAT: the flow's backend sees the gateway as its client, so its replies come back this way whatever its routes
 * are. Needed where the backend is not behind this gateway (a pod of another node), or is the client itself.
 *
 * The flow table is the allocator: a port is free for a backend when no live row has the reply key that it would make.
 * So a port serves as many flows as there are backends, two workers can't give the same one twice (both look after they
 * have published, and who sees the other takes another port), and it comes free when its flow's row goes, which for a
 * closed TCP flow is after the backend's TIME-WAIT. A client that uses its own port again sooner gets the same one as
 * before: it has seen to it that its sequence numbers and timestamps go on, which a backend in TIME-WAIT looks at (RFC 6191),
 * and which hold for the same ports only (Linux gives each pair of ports its own clock).
 *
 * Before a new flow is refused, the port of a closed one is taken early: the first one of a connection whose timestamps the
 * new one's are later than (client-clock.ts); else one that its client closed first, for then the backend keeps no
 * TIME-WAIT unless both closed at once (RFC 9293 §3.6); else the one that has been silent for the longest.
 */

import { ADDRESS_WORDS, copyAddress, swap16 } from "../wire/raw.ts";
import { FIN, RST } from "../wire/transport.ts";
import { isAhead } from "./client-clock.ts";
import { claimRow } from "./eviction.ts";
import { endFlow, FlowEnd } from "./flow-end.ts";
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, reverseKey } from "./flow-key.ts";
import { flowState } from "./flow-state.ts";
import { type FlowTable, NO_ROW, TAG_REPLY } from "./flow-table.ts";
import type { Pipeline } from "./pipeline.ts";
import { FREE_PORT_STRIDE } from "./source-ports.ts";
import { STATE_CLOSED_FIRST } from "./state-word.ts";

/** How good it is to take a live flow's port early. */
const NEVER = 0;
const TIME_WAIT = 1;
const FORGOTTEN = 2;
const LATER = 3;
/** A last ACK, or a frame that shows a RST to be forged, gets so long. */
const QUIET_SECONDS = 2;

/**
 * Gives the flow in `pipeline.translated` the source address of a port and a free source port there, and publishes its
 * reply row. `pipeline.key` is the flow's key; both stay as they are but for the source of `translated`.
 * @param port that the request leaves by. @param clock of the new connection.
 * @returns the reply row; `NO_ROW` when no port is free or the port has no address of the family.
 */
export function claimSource(
  pipeline: Pipeline,
  flows: FlowTable,
  isIpv4: boolean,
  port: number,
  hash: number,
  egress: number,
  owner: number,
  clock: number,
): number {
  const { key, translated, otherKey, ports, table, exhausted, now } = pipeline;
  const own = ports.addressAt(port, isIpv4);
  const free = table.sourcePorts;
  if (ports.words[own + ADDRESS_WORDS - 1] === 0 || free.length === 0) return NO_ROW;
  const backendPort = translated[KEY_PORTS]! & ~0xffff;
  const tries = exhausted.tries(owner, clock, now);
  copyAddress(translated, KEY_SOURCE, ports.words, own);
  // A step that the number of ports is no multiple of leads to all of them.
  const stride = free.length % FREE_PORT_STRIDE === 0 ? 1 : FREE_PORT_STRIDE;
  let place = (hash >>> 0) % free.length;
  let best = NO_ROW;
  let bestRank = NEVER;
  let bestSeen = now;
  let bestPort = 0;
  // Else the client's own port first: it is what people look for in captures.
  const wished = pipeline.formerSourcePort !== 0 ? pipeline.formerSourcePort : key[KEY_PORTS]! & 0xffff;
  for (let attempt = 0; attempt < tries; attempt++) {
    let candidate = wished;
    if (attempt > 0 || !table.isSourcePort(swap16(candidate))) {
      candidate = swap16(free[place]!);
      place = (place + stride) % free.length;
    }
    translated[KEY_PORTS] = backendPort | candidate;
    reverseKey(otherKey, translated);
    const replyHash = flows.hashKey(otherKey);
    const taken = flows.findKey(replyHash, otherKey);
    if (taken === NO_ROW) {
      const reply = claimReplyKey(pipeline, flows, replyHash, egress, owner, clock);
      if (reply === TAKEN) continue;
      exhausted.forget(owner);
      return reply;
    }
    const rank = rankOf(flows, taken, now, clock);
    if (rank === NEVER || rank < bestRank) continue;
    const seen = flows.words[taken + flows.layout.lastSeen]!;
    if (rank === bestRank && seen >= bestSeen) continue;
    best = taken;
    bestRank = rank;
    bestSeen = seen;
    bestPort = candidate;
    if (rank === LATER) break;
  }
  if (best !== NO_ROW) {
    endFlow(flows, best, flows.peer(best), FlowEnd.closed, now);
    translated[KEY_PORTS] = backendPort | bestPort;
    reverseKey(otherKey, translated);
    const reply = claimReplyKey(pipeline, flows, flows.hashKey(otherKey), egress, owner, clock);
    if (reply !== TAKEN) {
      exhausted.forget(owner);
      return reply;
    }
  }
  exhausted.note(owner, now);
  return NO_ROW;
}

/** `claimReplyKey` answers so when another worker has taken the port meanwhile. */
const TAKEN = -2;

/** Publishes the reply row of `pipeline.otherKey`. */
function claimReplyKey(
  pipeline: Pipeline,
  flows: FlowTable,
  hash: number,
  egress: number,
  owner: number,
  clock: number,
): number {
  const { key, translated, otherKey, spareKey, now } = pipeline;
  const reply = claimRow(pipeline, flows, hash, otherKey, translated[KEY_PROTOCOL]!, TAG_REPLY);
  if (reply === NO_ROW) return NO_ROW;
  reverseKey(spareKey, key);
  flows.markClock(reply, clock);
  flows.complete(reply, spareKey, egress, owner);
  if (flows.twin(reply, hash, otherKey) === NO_ROW) return reply;
  flows.withdraw(reply, now);
  return TAKEN;
}

/** @param reply row of the flow that has a port. @param clock of the one that would get it. */
function rankOf(flows: FlowTable, reply: number, now: number, clock: number): number {
  const { words, layout } = flows;
  // Without a FIN or RST of the backend nothing is closed; most flows are told by this alone.
  if ((words[reply + layout.state]! & (FIN | RST)) === 0) return NEVER;
  if (now - words[reply + layout.lastSeen]! < QUIET_SECONDS) return NEVER;
  const request = flows.peer(reply);
  if (request === NO_ROW || flowState(flows, request, reply) !== "closed") return NEVER;
  if (isAhead(clock, flows.clockOf(reply))) return LATER;
  return (words[request + layout.state]! & STATE_CLOSED_FIRST) === 0 ? TIME_WAIT : FORGOTTEN;
}

/** Whether two keys' ends are one host: the client is its own backend. */
export function isHairpin(key: Int32Array, translated: Int32Array): boolean {
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    if (key[KEY_SOURCE + word] !== translated[KEY_DESTINATION + word]) return false;
  }
  return true;
}
