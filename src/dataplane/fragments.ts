/**
 * Fragmented packets: the first fragment is forwarded as a whole packet would be, and its ports are remembered; the
 * later ones take their flow from there. What came too early is held. Nothing is reassembled: the addresses of all
 * fragments change, the transport header only in the first.
 */
import { fold, TTL_DECREMENT_DELTA } from "../wire/checksum.ts";
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_SOURCE, IPV4_TTL, PROTOCOL_TCP } from "../wire/ipv4.ts";
import { IPV6_HOP_LIMIT, IPV6_SOURCE } from "../wire/ipv6.ts";
import { ADDRESS_WORDS } from "../wire/raw.ts";
import { countReason } from "./counters.ts";
import { DropReason } from "./drop-reason.ts";
import { dress } from "./dsr-dress.ts";
import { plainGrowth } from "./dsr-send.ts";
import { EGRESS_DECREMENT_TTL, EGRESS_DSR } from "./egress.ts";
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE } from "./flow-key.ts";
import { NO_ROW } from "./flow-table.ts";
import { ROW_DELTAS } from "./flow-table4.ts";
import { fragmentIdentification, fragmentOffset } from "./fragment-fields.ts";
import { NO_FRAGMENT } from "./fragment-table.ts";
import { FrameKind } from "./frame-batch.ts";
import type { Pipeline } from "./pipeline.ts";
import { tagFrame } from "./vlan-tags.ts";

/** Remembers a first fragment, before its frame is rewritten. Forgotten by itself when it is not ours. */
export function rememberFirst(pipeline: Pipeline, i: number, isIpv4: boolean): void {
  const { batch, view, fragments, spareKey } = pipeline;
  const l4 = batch.transport[i]!;
  pipeline.loadKey(spareKey, isIpv4, batch.network[i]!, l4, batch.protocol[i]!);
  const identification = fragmentIdentification(view, isIpv4, batch.fragment[i]!);
  if (fragments.remember(spareKey, identification, batch.end[i]! - l4, pipeline.now)) return;
  countReason(pipeline.counters, DropReason.FragmentTableFull, batch.port[i]!);
}

/** Forwards, holds or drops a later fragment. */
export function forwardLater(pipeline: Pipeline, i: number): void {
  const { batch, view, bytes, fragments, table, key, translated, now } = pipeline;
  const isIpv4 = batch.kind[i] === FrameKind.LaterFragment4;
  const network = batch.network[i]!;
  const protocol = batch.protocol[i]!;
  const at = batch.fragment[i]!;
  pipeline.loadKey(key, isIpv4, network, network, protocol);
  key[KEY_PORTS] = 0;
  const identification = fragmentIdentification(view, isIpv4, at);
  const entry = fragments.find(key, identification, now);
  if (entry === NO_FRAGMENT) {
    if (!table.owns(key, KEY_DESTINATION)) {
      pipeline.pass(i, DropReason.NotOurAddress);
      return;
    }
    // It comes in once more when it is released, so it is kept as it came.
    const { port } = batch;
    if (pipeline.ports.outerTag(port[i]!) !== 0) tagFrame(pipeline, i, port[i]!);
    const offset = batch.offset[i]!;
    const held = pipeline.held.hold(key, identification, bytes, offset, batch.length[i]!, 0, 0, port[i]!, now);
    pipeline.drop(i, held ? DropReason.FragmentHeld : DropReason.FragmentUnknown);
    return;
  }
  const start = fragmentOffset(view, isIpv4, at);
  // Overlapping the first fragment is a way round filters (RFC 1858), and so is a TCP header cut in two (RFC 3128).
  if (start < fragments.firstEnd(entry) || (protocol === PROTOCOL_TCP && start < 16)) {
    pipeline.drop(i, DropReason.FragmentInvalid);
    return;
  }
  key[KEY_PORTS] = fragments.ports(entry);
  const flows = pipeline.flowsOf(isIpv4);
  const row = flows.findKey(flows.hashKey(key), key);
  if (row === NO_ROW) {
    if (table.owns(key, KEY_DESTINATION)) pipeline.drop(i, DropReason.NoStateForSegment);
    else pipeline.pass(i, DropReason.NotOurAddress);
    return;
  }
  const egress = flows.words[row + flows.layout.egress]!;
  const ttlAt = network + (isIpv4 ? IPV4_TTL : IPV6_HOP_LIMIT);
  const ttl = view.getUint8(ttlAt);
  const isDsr = (egress & EGRESS_DSR) !== 0;
  const growth = isDsr ? plainGrowth(pipeline, i, isIpv4, row) : 0;
  if (growth < 0) return;
  const port = pipeline.leave(i, egress, ttl, growth);
  if (port < 0) return;
  const decrements = (egress & EGRESS_DECREMENT_TTL) !== 0;
  if (decrements) view.setUint8(ttlAt, ttl - 1);
  flows.loadTranslation(row, translated);
  if (isIpv4) {
    const delta = (flows.words[row + ROW_DELTAS]! & 0xffff) + (decrements ? TTL_DECREMENT_DELTA : 0);
    const checksum = ~view.getUint16(network + IPV4_CHECKSUM, true) & 0xffff;
    view.setUint16(network + IPV4_CHECKSUM, ~fold(checksum + delta) & 0xffff, true);
    view.setInt32(network + IPV4_SOURCE, translated[KEY_SOURCE + ADDRESS_WORDS - 1]!, true);
    view.setInt32(network + IPV4_DESTINATION, translated[KEY_DESTINATION + ADDRESS_WORDS - 1]!, true);
  } else {
    for (let word = 0; word < 2 * ADDRESS_WORDS; word++) {
      view.setInt32(network + IPV6_SOURCE + 4 * word, translated[KEY_SOURCE + word]!, true);
    }
  }
  flows.countFrame(row, batch.length[i]!, now);
  pipeline.countVip(flows.words[row + flows.layout.owner]!, flows.isReply(row), batch.length[i]!);
  if (isDsr) dress(pipeline, i, isIpv4, row, port, growth);
  pipeline.transmit(i, port);
}
