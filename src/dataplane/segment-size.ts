/**
 * The maximum segment size of flows that come here in tunnels or with an option: the sender of requests has no room for
 * more than its MTU leaves beside that, and would have to tell each client by an ICMP error. So the backend's SYN-ACK,
 * which goes by here, asks the client for smaller segments from the start.
 *
 * The backend's own segments go back to the client without a tunnel, so SYNs stay as they are.
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
import { DsrKind, EGRESS_PAIR, EGRESS_PORT } from "./egress.ts";
import { KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE } from "./flow-key.ts";
import { MODE_NAT, NO_BACKEND } from "./forwarding-layout.ts";
import { NO_VIP } from "./forwarding-table.ts";
import type { Pipeline } from "./pipeline.ts";

/** Lowers the MSS of a backend's SYN-ACK, before it is translated, where requests come by direct server return. */
export function limitSegmentSize(pipeline: Pipeline, i: number, isIpv4: boolean, reply: number): void {
  const { batch, view, table, ports, spareKey } = pipeline;
  const flows = pipeline.flowsOf(isIpv4);
  const { words, layout } = flows;
  flows.loadTranslation(reply, spareKey);
  const vip = table.vip(spareKey, KEY_SOURCE, spareKey[KEY_PORTS]! & 0xffff, spareKey[KEY_PROTOCOL]!);
  const backend = table.backendOf(words[reply + layout.owner]!);
  if (vip === NO_VIP || backend === NO_BACKEND || table.mode(vip) === MODE_NAT) return;
  const segment = batch.transport[i]!;
  const at = findMss(view, segment);
  if (at < 0) return;
  const egress = words[reply + layout.egress]!;
  const port = (egress & EGRESS_PAIR) !== 0 ? ports.pair(batch.port[i]!) : egress & EGRESS_PORT;
  const headers = (isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES) + TCP_HEADER_BYTES;
  const overhead = overheadBytes(table.mode(vip), isIpv4, isMapped(table.backends, table.tunnelAt(backend)));
  const limit = ports.mtu(port) - overhead - headers;
  const before = view.getUint16(at);
  if (before <= limit) return;
  view.setUint16(at, limit);
  // A field at an odd offset lies in two words of the sum, with its bytes exchanged (RFC 1071 §2).
  const isOdd = ((at - segment) & 1) !== 0;
  const delta = isOdd ? delta32(before, limit) : delta32(swap16(before), swap16(limit));
  const checksum = view.getUint16(segment + TCP_CHECKSUM, true);
  view.setUint16(segment + TCP_CHECKSUM, applyDelta(checksum, delta), true);
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
