/**
 * Dressing a request of direct server return, once it is translated, in what its kind asks for: an option in its IP header,
 * or a tunnel around it. What the frame grows by was agreed before (dsr-send.ts), and there is room in front of it.
 */
import {
  addDsrOption4,
  addDsrOption6,
  carriesDsrOption,
  DSR_OPTION4_BYTES,
  DSR_OPTION6_BYTES,
  dropDsrOption4,
  dropDsrOption6,
} from "../wire/dsr-option.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../wire/ethernet.ts";
import { IPV4_HEADER_BYTES, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { IPV6_HEADER_BYTES } from "../wire/ipv6.ts";
import { ADDRESS_WORDS, isMapped } from "../wire/raw.ts";
import { UDP_HEADER_BYTES } from "../wire/transport.ts";
import {
  GENEVE_HEADER_BYTES,
  outerHeaderBytes,
  PROTOCOL_IPIP,
  PROTOCOL_IPV6,
  sealUdp6,
  trafficClass,
  writeGeneve,
  writeGeneveOption,
  writeOuterAddresses6,
  writeOuterIpv4,
  writeOuterIpv6,
  writeUdp,
} from "../wire/tunnel.ts";
import { sentKind } from "./dsr-send.ts";
import { DsrKind } from "./egress.ts";
import { KEY_DESTINATION, KEY_PORTS } from "./flow-key.ts";
import { FrameKind } from "./frame-batch.ts";
import type { Pipeline } from "./pipeline.ts";

/** Dynamic ports (RFC 6335 §6): the source port of a tunnel only tells flows apart. */
const FIRST_SOURCE_PORT = 0xc000;

/** Gives a translated frame what its kind asks for, or takes it off; `bytes` is what a growth function has said. */
export function dress(
  pipeline: Pipeline,
  i: number,
  isIpv4: boolean,
  row: number,
  outPort: number,
  bytes: number,
): void {
  const kind = sentKind(pipeline.table, pipeline.flowsOf(isIpv4), row);
  if (kind === DsrKind.Link) return;
  if (kind === DsrKind.Received) removeOption(pipeline, i, isIpv4);
  else if (kind !== DsrKind.Option) wrap(pipeline, i, isIpv4, row, kind, outPort, bytes);
  else if (bytes > 0) insertOption(pipeline, i, isIpv4, row);
}

function insertOption(pipeline: Pipeline, i: number, isIpv4: boolean, row: number): void {
  const { batch, view, spareKey, table } = pipeline;
  pipeline.flowsOf(isIpv4).loadKey(row, spareKey);
  const port = spareKey[KEY_PORTS]! >>> 16;
  moveFront(pipeline, i, isIpv4, isIpv4 ? -DSR_OPTION4_BYTES : -DSR_OPTION6_BYTES);
  const network = batch.network[i]!;
  if (isIpv4) {
    addDsrOption4(view, network, spareKey[KEY_DESTINATION + ADDRESS_WORDS - 1]!, port, table.dsr.networkOrder);
  } else {
    addDsrOption6(view, network, spareKey, KEY_DESTINATION, port);
  }
}

/** Takes the option out of a packet, where it has one. */
export function removeOption(pipeline: Pipeline, i: number, isIpv4: boolean): void {
  const { batch, view } = pipeline;
  const network = batch.network[i]!;
  if (!carriesDsrOption(view, isIpv4, network, batch.transport[i]!)) return;
  if (isIpv4) {
    moveFront(pipeline, i, true, DSR_OPTION4_BYTES);
    dropDsrOption4(view, batch.network[i]!);
  } else {
    dropDsrOption6(view, network);
    moveFront(pipeline, i, false, DSR_OPTION6_BYTES);
  }
}

/** Moves link header and the fixed part of the IP header towards the payload, or away from it. */
function moveFront(pipeline: Pipeline, i: number, isIpv4: boolean, by: number): void {
  const { batch, bytes } = pipeline;
  const offset = batch.offset[i]!;
  const network = batch.network[i]!;
  bytes.copyWithin(offset + by, offset, network + (isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES));
  batch.offset[i] = offset + by;
  batch.network[i] = network + by;
  batch.length[i]! -= by;
}

/** Puts the packet into a tunnel whose headers have `grown` bytes altogether. */
function wrap(
  pipeline: Pipeline,
  i: number,
  isIpv4: boolean,
  row: number,
  kind: number,
  outPort: number,
  grown: number,
): void {
  const { batch, view, bytes, table } = pipeline;
  const { words, layout } = pipeline.flowsOf(isIpv4);
  const backend = table.backendOf(words[row + layout.owner]!);
  const remote = table.tunnelAt(backend);
  const outerIsIpv4 = isMapped(table.backends, remote);
  const inner = batch.network[i]!;
  const end = batch.end[i]!;
  const outer = inner - grown;
  const udp = outer + outerHeaderBytes(outerIsIpv4);
  const payloadBytes = end - udp;

  const offset = batch.offset[i]!;
  const start = offset - grown;
  bytes.copyWithin(start, offset, inner - 2);
  view.setUint16(outer - 2, outerIsIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  const protocol = kind !== DsrKind.Ipip ? PROTOCOL_UDP : isIpv4 ? PROTOCOL_IPIP : PROTOCOL_IPV6;
  const tos = trafficClass(view, inner);
  // One number per flow, spread over its bits: what the way there tells flows apart by.
  const entropy = Math.imul(row + 1, 0x9e3779b1) >>> 12;
  const { dsr } = table;
  if (outerIsIpv4) {
    const source = dsr.words[dsr.endAt(true) + ADDRESS_WORDS - 1]!;
    const destination = table.backends[remote + ADDRESS_WORDS - 1]!;
    writeOuterIpv4(view, outer, payloadBytes, protocol, tos, source, destination);
  } else {
    writeOuterIpv6(view, outer, payloadBytes, protocol, tos, entropy);
    writeOuterAddresses6(view, outer, dsr.words, dsr.endAt(false), table.backends, remote);
  }
  if (kind !== DsrKind.Ipip) {
    const port = kind === DsrKind.Gue ? dsr.guePort : dsr.genevePort;
    writeUdp(view, udp, FIRST_SOURCE_PORT | (entropy & 0x3fff), port, payloadBytes);
    if (kind === DsrKind.Geneve) writeGeneveHeaders(pipeline, isIpv4, row, udp + UDP_HEADER_BYTES, inner, outPort);
    if (!outerIsIpv4) {
      // A fragment's checksum is over more than the fragment: all bytes of it are summed up.
      const isWhole = batch.kind[i]! < FrameKind.FirstFragment4;
      const transport = isWhole ? batch.transport[i]! : inner;
      sealUdp6(view, outer, udp, inner, transport, isWhole ? batch.protocol[i]! : 0, end);
    }
  }
  batch.offset[i] = start;
  batch.network[i] = outer;
  batch.length[i] = end - start;
}

/** Header, option where there is room for one, and the Ethernet header of the packet inside: nobody looks at its MACs. */
function writeGeneveHeaders(
  pipeline: Pipeline,
  isIpv4: boolean,
  row: number,
  geneve: number,
  inner: number,
  outPort: number,
): void {
  const { view, table, ports, spareKey } = pipeline;
  const ethernet = inner - ETHERNET_HEADER_BYTES;
  const option = geneve + GENEVE_HEADER_BYTES;
  const optionBytes = ethernet - option;
  writeGeneve(view, geneve, optionBytes, table.dsr.vni);
  if (optionBytes > 0) {
    pipeline.flowsOf(isIpv4).loadKey(row, spareKey);
    // What came in a tunnel is sent on: it says itself whom it is for.
    const asked = pipeline.tunnelled ? pipeline.served : spareKey;
    writeGeneveOption(view, option, optionBytes, asked, KEY_DESTINATION, asked[KEY_PORTS]! >>> 16);
  }
  view.setInt32(ethernet, 0);
  view.setUint16(ethernet + 4, 0);
  view.setInt32(ethernet + 6, ports.macFirst(outPort), true);
  view.setUint16(ethernet + 10, ports.macLast(outPort), true);
  view.setUint16(ethernet + 12, isIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
}
