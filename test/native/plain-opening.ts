/**
 * Which first frames of flows are XDP's to open, told from the frame and the scenario's words alone: the other side of what
 * native/bpf/new_flow.h says of itself.
 */
import type { BackendSpec, VipSpec } from "../../src/dataplane/forwarding-spec.ts";
import type { Scenario } from "../../src/replay/scenario.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../src/wire/ethernet.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../../src/wire/ipv4.ts";
import { ACK, FIN, RST, SYN } from "../../src/wire/transport.ts";
import { encodeAddress } from "../../src/xdp/door-maps.ts";

interface FirstFrame {
  /** Mapped into IPv6 where they are IPv4's, as text. */
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly port: number;
  readonly protocol: "TCP" | "UDP";
}

/**
 * Plain TCP that begins, or a datagram, to a VIP that translates by Maglev and nothing else.
 *
 * @param before the first frames of the flows before it
 */
export function isForXdpToOpen(frame: Uint8Array, { spec }: Scenario, before: readonly Uint8Array[]): boolean {
  const first = readPlain(frame);
  const vip = first && vipOf(first, spec.vips);
  if (!first || !vip) return false;
  const hadItsReplies = before.some((one) => {
    const former = readPlain(one);
    return former !== null && sharesReplies(first, vip, former, spec.vips);
  });
  return isPlain(vip) && !isClientOf(vip, first.source) && !hadItsReplies;
}

function vipOf(first: FirstFrame, vips: readonly VipSpec[]): VipSpec | undefined {
  return vips.find(
    ({ address, port, protocol }) =>
      text(encodeAddress(address)) === first.destination && port === first.port && protocol === first.protocol,
  );
}

/** Whether a client's port went by another VIP to a backend that this one has too: only a worker ends that flow. */
function sharesReplies(first: FirstFrame, vip: VipSpec, former: FirstFrame, vips: readonly VipSpec[]): boolean {
  const other = vipOf(former, vips);
  if (other === undefined || other === vip || other.protocol !== vip.protocol) return false;
  if (former.source !== first.source || former.sourcePort !== first.sourcePort) return false;
  const itsBackends = new Set(other.backends.map(placeOf));
  return vip.backends.some((backend) => itsBackends.has(placeOf(backend)));
}

function placeOf({ address, port }: BackendSpec): string {
  return `${text(encodeAddress(address))} ${port}`;
}

function isPlain({ mode, affinity, sources, sourceNat, policies, balancing }: VipSpec): boolean {
  const byMaglev = balancing === undefined || balancing === "maglev";
  return mode === "nat" && byMaglev && !affinity && sources === null && sourceNat !== "node" && policies.length === 0;
}

/** A backend that is its own client would answer past the gateway. */
function isClientOf({ backends }: VipSpec, source: string): boolean {
  return backends.some(({ address }) => text(encodeAddress(address)) === source);
}

/** `null` for what has tags, options, extension headers or fragments, ends here, or begins nothing. */
function readPlain(frame: Uint8Array): FirstFrame | null {
  const view = new DataView(frame.buffer, frame.byteOffset);
  const etherType = view.getUint16(12);
  const isIpv4 = etherType === ETHERTYPE_IPV4;
  if (!isIpv4 && etherType !== ETHERTYPE_IPV6) return null;
  if (isIpv4 && (frame[14] !== 0x45 || (view.getUint16(20) & 0x3fff) !== 0)) return null;
  const protocol = frame[isIpv4 ? 23 : 20];
  const ttl = frame[isIpv4 ? 22 : 21]!;
  const transport = isIpv4 ? 34 : 54;
  if (ttl <= 1 || (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP)) return null;
  if (protocol === PROTOCOL_TCP && (frame[transport + 13]! & (SYN | ACK | FIN | RST)) !== SYN) return null;
  const at = isIpv4 ? 26 : 22;
  const bytes = isIpv4 ? 4 : 16;
  const prefix = isIpv4 ? "00000000000000000000ffff" : "";
  return {
    source: prefix + text(frame.subarray(at, at + bytes)),
    sourcePort: view.getUint16(transport),
    destination: prefix + text(frame.subarray(at + bytes, at + 2 * bytes)),
    port: view.getUint16(transport + 2),
    protocol: protocol === PROTOCOL_TCP ? "TCP" : "UDP",
  };
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
