/**
 * Packets that are too long and may be fragmented (RFC 791 §3.2, without Don't Fragment): cut before anything else is done to
 * them, as if their sender had. The first fragment stays in the frame and goes on at once; the others are held where
 * fragments wait for their first one (held-fragments.ts), and come back by themselves. So translation, tunnels and
 * options of fragments are in one place.
 *
 * Not cut are IPv6 packets, which no router may (RFC 8200 §5), and ICMP errors, which quote no more than fits.
 */
import { sumBytes } from "../wire/checksum.ts";
import { IPV4_CHECKSUM, IPV4_HEADER_BYTES, PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { keepCopiedOptions, loadOptions, newOptions, storeOptions } from "../wire/ipv4-options.ts";
import { KEY_PORTS } from "./flow-key.ts";
import { fragmentIdentification, fragmentOffset } from "./fragment-fields.ts";
import { FrameKind } from "./frame-batch.ts";
import type { Pipeline } from "./pipeline.ts";
import { tagFrame, takeTags } from "./vlan-tags.ts";

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
/** No fragment but the first is longer than this, whatever the MTU: what is held has to fit into a slot. */
const LONGEST_PIECE = 1500;

/** Those of the packet in work: only its first fragment has all of them. */
const options = newOptions();

/**
 * Cuts the packet of a frame to an MTU.
 * @returns whether it has; else the frame is as it was.
 */
export function fragmentPacket(pipeline: Pipeline, i: number, mtu: number): boolean {
  const { batch, view, bytes, spareKey, fragments, held, ports, now } = pipeline;
  const network = batch.network[i]!;
  const protocol = batch.protocol[i]!;
  const flags = view.getUint16(network + 6);
  if (view.getUint8(network) >>> 4 !== 4 || (flags & DONT_FRAGMENT) !== 0) return false;
  if (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP && protocol !== PROTOCOL_SCTP) return false;
  const l4 = batch.transport[i]!;
  const headerBytes = l4 - network;
  const firstBytes = (mtu - headerBytes) & ~7;
  if (!pipeline.table.tracksFragments || firstBytes < 8) return false;

  const end = batch.end[i]!;
  const start = fragmentOffset(view, true, network);
  const more = flags & MORE_FRAGMENTS;
  const identification = fragmentIdentification(view, true, network);
  const isFirst = start === 0;
  pipeline.loadKey(spareKey, true, network, isFirst ? l4 : network, protocol);
  if (isFirst && !fragments.remember(spareKey, identification, firstBytes, now)) return false;
  if (!isFirst) spareKey[KEY_PORTS] = 0;

  // What is held comes in once more by its port, so it has the tags of that.
  const port = batch.port[i]!;
  const isTagged = ports.outerTag(port) !== 0 && !pipeline.tunnelled;
  if (isTagged) tagFrame(pipeline, i, port);
  const front = batch.offset[i]!;
  const pieceBytes = (Math.min(mtu, LONGEST_PIECE) - headerBytes) & ~7;
  const hasOptions = headerBytes > IPV4_HEADER_BYTES;
  if (hasOptions) {
    loadOptions(view, network, l4, options);
    keepCopiedOptions(view, network, l4);
  }
  for (let at = firstBytes; l4 + at < end; at += pieceBytes) {
    const length = Math.min(pieceBytes, end - l4 - at);
    const isLast = l4 + at + length === end;
    writeFragment(view, network, headerBytes, length, (start + at) >>> 3, isLast ? more : MORE_FRAGMENTS);
    held.hold(spareKey, identification, bytes, front, l4 - front, l4 + at, length, port, now);
  }
  if (isTagged) takeTags(pipeline, i);
  if (hasOptions) storeOptions(view, network, l4, options);
  writeFragment(view, network, headerBytes, firstBytes, start >>> 3, MORE_FRAGMENTS);
  batch.end[i] = l4 + firstBytes;
  batch.length[i] = l4 + firstBytes - batch.offset[i]!;
  batch.fragment[i] = network;
  batch.kind[i] = isFirst ? FrameKind.FirstFragment4 : FrameKind.LaterFragment4;
  return true;
}

/** @param offset in units of eight bytes. */
function writeFragment(
  view: DataView,
  network: number,
  headerBytes: number,
  payloadBytes: number,
  offset: number,
  more: number,
): void {
  view.setUint16(network + 2, headerBytes + payloadBytes);
  view.setUint16(network + 6, more | offset);
  view.setUint16(network + IPV4_CHECKSUM, 0);
  view.setUint16(network + IPV4_CHECKSUM, ~sumBytes(view, network, headerBytes) & 0xffff, true);
}
