/**
 * The maximum segment size that both ends tell each other in their SYNs: lowered to what the way through this node has room
 * for, so that nobody has to learn it from ICMP errors, which are lost more often than one would like.
 *
 *   both         the MTUs of the two ports; each end knows that of its own link only
 *   a SYN-ACK    also what direct server return adds to requests: the client is asked for segments that leave room for it
 *
 * A request's own SYN is not lowered for a tunnel or an option: what it limits are replies, which go back without one.
 */
import { applyDelta, delta32 } from "../wire/checksum.ts";
import { DSR_OPTION4_BYTES, DSR_OPTION6_BYTES } from "../wire/dsr-option.ts";
import { ETHERNET_HEADER_BYTES } from "../wire/ethernet.ts";
import { IPV4_HEADER_BYTES } from "../wire/ipv4.ts";
import { IPV6_HEADER_BYTES } from "../wire/ipv6.ts";
import { isMapped, swap16 } from "../wire/raw.ts";
import { findMss } from "../wire/tcp-options.ts";
import { TCP_CHECKSUM, TCP_HEADER_BYTES, UDP_HEADER_BYTES } from "../wire/transport.ts";
import { GENEVE_HEADER_BYTES, GENEVE_OPTION4_BYTES, GENEVE_OPTION6_BYTES, outerHeaderBytes } from "../wire/tunnel.ts";
import { DsrKind, EGRESS_PAIR, EGRESS_PORT, sendsDsr } from "./egress.ts";
import { KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE } from "./flow-key.ts";
import { MODE_NAT, NO_BACKEND } from "./forwarding-layout.ts";
import { NO_VIP } from "./forwarding-table.ts";
import type { Pipeline } from "./pipeline.ts";

/** Lowers the MSS of a SYN or SYN-ACK, before it is translated. @param row that it is forwarded by. */
export function limitSegmentSize(pipeline: Pipeline, i: number, isIpv4: boolean, row: number): void {
  const { batch, view, ports } = pipeline;
  const flows = pipeline.flowsOf(isIpv4);
  const egress = flows.words[row + flows.layout.egress]!;
  // Its replies do not come by here.
  if (sendsDsr(egress)) return;
  const segment = batch.transport[i]!;
  const at = findMss(view, segment);
  if (at < 0) return;
  const from = batch.port[i]!;
  const to = (egress & EGRESS_PAIR) !== 0 ? ports.pair(from) : egress & EGRESS_PORT;
  const headers = (isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES) + TCP_HEADER_BYTES;
  const onRequests = flows.isReply(row) ? requestOverhead(pipeline, isIpv4, row) : 0;
  const limit = Math.min(ports.mtu(from), ports.mtu(to) - onRequests) - headers;
  const before = view.getUint16(at);
  if (before <= limit) return;
  view.setUint16(at, limit);
  // A field at an odd offset lies in two words of the sum, with its bytes exchanged (RFC 1071 §2).
  const isOdd = ((at - segment) & 1) !== 0;
  const delta = isOdd ? delta32(before, limit) : delta32(swap16(before), swap16(limit));
  const checksum = view.getUint16(segment + TCP_CHECKSUM, true);
  view.setUint16(segment + TCP_CHECKSUM, applyDelta(checksum, delta), true);
}

/** Bytes that another node may add to the requests of a reply row's flow when it sends them here. */
export function requestOverhead(pipeline: Pipeline, isIpv4: boolean, reply: number): number {
  const { table, spareKey } = pipeline;
  const flows = pipeline.flowsOf(isIpv4);
  flows.loadTranslation(reply, spareKey);
  const vip = table.vip(spareKey, KEY_SOURCE, spareKey[KEY_PORTS]! & 0xffff, spareKey[KEY_PROTOCOL]!);
  const backend = table.backendOf(flows.words[reply + flows.layout.owner]!);
  if (vip === NO_VIP || backend === NO_BACKEND || table.mode(vip) === MODE_NAT) return 0;
  return overheadBytes(table.mode(vip), isIpv4, isMapped(table.backends, table.tunnelAt(backend)));
}

/** What a request of a mode carries besides what the client has sent, at most. */
function overheadBytes(mode: number, isIpv4: boolean, outerIsIpv4: boolean): number {
  const outer = outerHeaderBytes(outerIsIpv4);
  switch (mode) {
    case DsrKind.Option:
      return isIpv4 ? DSR_OPTION4_BYTES : DSR_OPTION6_BYTES;
    case DsrKind.Ipip:
      return outer;
    case DsrKind.Gue:
      return outer + UDP_HEADER_BYTES;
    case DsrKind.Geneve: {
      const option = isIpv4 ? GENEVE_OPTION4_BYTES : GENEVE_OPTION6_BYTES;
      return outer + UDP_HEADER_BYTES + GENEVE_HEADER_BYTES + ETHERNET_HEADER_BYTES + option;
    }
    default:
      return 0;
  }
}
