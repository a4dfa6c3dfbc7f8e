/**
 * Source NAT: the flow's backend sees the gateway as its client, so its replies come back this way whatever its routes
 * are. Needed where the backend is not behind this gateway (a pod of another node), or is the client itself.
 *
 * The flow table is the allocator: a port is free for a backend when no live row has the reply key that it would make.
 * So a port serves as many flows as there are backends, two workers can't give the same one twice (both look after they
 * have published, and the row that a lookup finds wins), and it comes free when its flow's row goes, which for a closed
 * TCP flow is after the backend's TIME-WAIT.
 */
import { ADDRESS_WORDS, copyAddress, swap16 } from "../wire/raw.ts";
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, reverseKey } from "./flow-key.ts";
import { type FlowTable, NO_ROW, TAG_REPLY } from "./flow-table.ts";
import type { Pipeline } from "./pipeline.ts";

/** Ports looked at for a new flow. A table so full that none of these is free is as good as full. */
const TRIES = 32;

/**
 * Gives the flow in `pipeline.translated` the source address of a port and a free source port there, and publishes its
 * reply row. `pipeline.key` is the flow's key; both stay as they are but for the source of `translated`.
 * @param port that the request leaves by.
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
): number {
  const { key, translated, otherKey, spareKey, ports, table, now } = pipeline;
  const own = ports.addressAt(port, isIpv4);
  if (ports.words[own + ADDRESS_WORDS - 1] === 0) return NO_ROW;
  const backendPort = translated[KEY_PORTS]! & ~0xffff;
  const wanted = swap16(key[KEY_PORTS]! & 0xffff);
  const range = table.lastSourcePort - table.firstSourcePort + 1;
  copyAddress(translated, KEY_SOURCE, ports.words, own);
  for (let attempt = 0; attempt < TRIES; attempt++) {
    // The client's own port first: it is what people look for in captures.
    let candidate = wanted;
    if (attempt > 0) candidate = table.firstSourcePort + (((hash >>> 0) + attempt) % range);
    else if (wanted < table.firstSourcePort || wanted > table.lastSourcePort) continue;
    translated[KEY_PORTS] = backendPort | swap16(candidate);
    reverseKey(otherKey, translated);
    const replyHash = flows.hashKey(otherKey);
    if (flows.findKey(replyHash, otherKey) !== NO_ROW) continue;
    const reply = flows.claim(replyHash, otherKey, translated[KEY_PROTOCOL]!, TAG_REPLY, now);
    if (reply === NO_ROW) return NO_ROW;
    reverseKey(spareKey, key);
    flows.complete(reply, spareKey, egress, owner);
    if (flows.findKey(replyHash, otherKey) === reply) return reply;
    flows.withdraw(reply, now);
  }
  return NO_ROW;
}

/** Whether two keys' ends are one host: the client is its own backend. */
export function isHairpin(key: Int32Array, translated: Int32Array): boolean {
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    if (key[KEY_SOURCE + word] !== translated[KEY_DESTINATION + word]) return false;
  }
  return true;
}
