/**
 * Recorded messages as a capture file that Wireshark and tcpdump read: each message in TCP segments of its own, with raw
 * IP headers made up around it (link type 101) and sequence numbers that count from 1. Checksums are left 0.
 *
 *     file header | per segment: time, lengths | IP header | TCP header | octets
 */

import { parseIpv4 } from "../net/ipv4.ts";
import { parseIpv6 } from "./ipv6-prefix.ts";
import { OctetWriter } from "./octets.ts";
import type { RecordedMessage } from "./session-recorder.ts";

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const LINKTYPE_RAW = 101;
const SNAPSHOT_BYTES = 65535;
const TCP_HEADER_BYTES = 20;
const PROTOCOL_TCP = 6;
const TCP_PUSH_ACK = 0x18;
const TTL = 64;

interface SessionEnds {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

export function sessionPcap(ends: SessionEnds, messages: readonly RecordedMessage[]): Uint8Array {
  const writer = new OctetWriter(24 + messages.length * 128);
  writer.u32(MAGIC_MICROSECONDS).u16(2).u16(4).u32(0).u32(0).u32(SNAPSHOT_BYTES).u32(LINKTYPE_RAW);
  const next = { sent: 1, received: 1 };
  for (const message of messages) {
    const { direction, octets } = message;
    const headers = ipHeader(ends, direction, octets.length);
    const length = headers.length + TCP_HEADER_BYTES + octets.length;
    const seconds = Math.floor(message.atMilliseconds / 1000);
    writer
      .u32(seconds)
      .u32(Math.floor((message.atMilliseconds - seconds * 1000) * 1000))
      .u32(length)
      .u32(length)
      .octets(headers);
    const [from, to] = direction === "sent" ? [ends.localPort, ends.remotePort] : [ends.remotePort, ends.localPort];
    const acknowledged = direction === "sent" ? next.received : next.sent;
    writer.u16(from).u16(to).u32(next[direction]).u32(acknowledged);
    writer
      .u8(TCP_HEADER_BYTES << 2)
      .u8(TCP_PUSH_ACK)
      .u16(0xffff)
      .u16(0)
      .u16(0)
      .octets(octets);
    next[direction] += octets.length;
  }
  return writer.finish();
}

function ipHeader(ends: SessionEnds, direction: "sent" | "received", payloadBytes: number): Uint8Array {
  const { localAddress, remoteAddress } = ends;
  const [source, destination] = direction === "sent" ? [localAddress, remoteAddress] : [remoteAddress, localAddress];
  const writer = new OctetWriter(40);
  const tcpBytes = TCP_HEADER_BYTES + payloadBytes;
  if (remoteAddress.includes(":")) {
    writer.u32(0x60000000).u16(tcpBytes).u8(PROTOCOL_TCP).u8(TTL);
    for (const address of [source, destination]) writer.octets(parseIpv6(address) ?? new Uint8Array(16));
    return writer.finish();
  }
  writer
    .u16(0x4500)
    .u16(20 + tcpBytes)
    .u32(0)
    .u8(TTL)
    .u8(PROTOCOL_TCP)
    .u16(0);
  for (const address of [source, destination]) writer.u32(parseIpv4(address) ?? 0);
  return writer.finish();
}
