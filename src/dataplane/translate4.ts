/**
 * Writes into an IPv4 packet what the row of its flow says: addresses, ports, and the checksums by the row's deltas
 * (RFC 1624). The TTL falls where we are the router.
 */
import { applyDelta, TTL_DECREMENT_DELTA } from "../wire/checksum.ts";
import { updateCrc32c } from "../wire/crc32c.ts";
import { IPV4_CHECKSUM, IPV4_DESTINATION, IPV4_SOURCE, IPV4_TTL, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { SCTP_CHECKSUM, TCP_CHECKSUM, UDP_CHECKSUM } from "../wire/transport.ts";
import { EGRESS_DECREMENT_TTL } from "./egress.ts";
import {
  ROW_DELTAS,
  ROW_EGRESS,
  ROW_NEW_DESTINATION,
  ROW_NEW_PORTS,
  ROW_NEW_SOURCE,
  ROW_PORTS,
} from "./flow-table4.ts";
import type { Pipeline } from "./pipeline.ts";

/**
 * @param l3, l4 offsets of the IP and the transport header.
 * @param end offset past the packet, as it came: what SCTP's checksum covers.
 * @param ttl of the packet, before it is decremented.
 */
type Translate4 = (row: number, l3: number, l4: number, end: number, protocol: number, ttl: number) => void;

/** A closure over its tables, see forward.ts. */
export function makeTranslate4(pipeline: Pipeline): Translate4 {
  const { view } = pipeline;
  const rows = pipeline.flows4.words;

  return function translate4(row, l3, l4, end, protocol, ttl) {
    const deltas = rows[row + ROW_DELTAS]!;
    const newPorts = rows[row + ROW_NEW_PORTS]!;
    let headerDelta = deltas & 0xffff;
    if ((rows[row + ROW_EGRESS]! & EGRESS_DECREMENT_TTL) !== 0) {
      view.setUint8(l3 + IPV4_TTL, ttl - 1);
      headerDelta += TTL_DECREMENT_DELTA;
    }
    view.setUint16(l3 + IPV4_CHECKSUM, applyDelta(view.getUint16(l3 + IPV4_CHECKSUM, true), headerDelta), true);
    view.setInt32(l3 + IPV4_SOURCE, rows[row + ROW_NEW_SOURCE]!, true);
    view.setInt32(l3 + IPV4_DESTINATION, rows[row + ROW_NEW_DESTINATION]!, true);
    view.setInt32(l4, newPorts, true);
    updateTransportChecksum(view, l4, end, protocol, deltas >>> 16, rows[row + ROW_PORTS]!, newPorts);
  };
}

/** The transport header's checksum after its ports and the addresses have changed; SCTP's CRC32c covers the ports alone. */
export function updateTransportChecksum(
  view: DataView,
  l4: number,
  end: number,
  protocol: number,
  delta: number,
  ports: number,
  newPorts: number,
): void {
  if (protocol === PROTOCOL_TCP) {
    view.setUint16(l4 + TCP_CHECKSUM, applyDelta(view.getUint16(l4 + TCP_CHECKSUM, true), delta), true);
    return;
  }
  if (protocol === PROTOCOL_UDP) {
    updateUdpChecksum(view, l4, delta);
    return;
  }
  const checksum = view.getInt32(l4 + SCTP_CHECKSUM, true);
  view.setInt32(l4 + SCTP_CHECKSUM, updateCrc32c(checksum, ports, newPorts, end - l4), true);
}

/** UDP leaves a zero checksum alone and never makes one (RFC 768). */
export function updateUdpChecksum(view: DataView, l4: number, delta: number): void {
  const checksum = view.getUint16(l4 + UDP_CHECKSUM, true);
  if (checksum !== 0) view.setUint16(l4 + UDP_CHECKSUM, applyDelta(checksum, delta) || 0xffff, true);
}
