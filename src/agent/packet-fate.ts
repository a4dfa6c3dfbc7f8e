/** What would become of a packet on this node, in words: ids of ports and VIPs become the names that people know. */
import { DROP_MEANINGS } from "../dataplane/drop-meaning.ts";
import type { DropReasonName } from "../dataplane/drop-reason.ts";
import { explainPacket, type HypotheticalPacket, type PacketFate } from "../dataplane/hypothetical-packet.ts";
import { type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import type { Datapath } from "./datapath.ts";

export interface PacketExplanation extends Omit<PacketFate, "vip" | "leavesBy"> {
  /** The interface that it comes in by. */
  readonly from: string;
  /** Of the VIP that it is for; `null` when it is for none. */
  readonly service: string | null;
  readonly leavesBy: { readonly interface: string; readonly mac: string } | null;
  /** What the reason means, and what to do; `null` without one. */
  readonly meaning: string | null;
}

/** @param asked source, sourcePort, destination, destinationPort, protocol, and from which interface (the uplink). */
export function explainPacketAt({ ports, ids, tablesInForce }: Datapath, asked: URLSearchParams): PacketExplanation {
  const packet = packetOf(asked, ports);
  const { vip, leavesBy, ...fate } = explainPacket(packet, tablesInForce);
  return {
    ...fate,
    from: ports[packet.port]!.name,
    service: vip === null ? null : (ids.vipById(vip)?.service ?? null),
    leavesBy: leavesBy === null ? null : { interface: ports[leavesBy.port]!.name, mac: leavesBy.mac },
    meaning: fate.reason === null ? null : meaningOf(fate.reason),
  };
}

/** Throws with the word that is wrong. */
export function packetOf(
  asked: URLSearchParams,
  ports: readonly { readonly id: number; readonly name: string }[],
): HypotheticalPacket {
  const source = addressOf(asked, "source");
  const destination = addressOf(asked, "destination");
  if (source.family !== destination.family) throw new Error("source and destination are not of one family");
  const protocol = asked.get("protocol")?.toUpperCase();
  if (protocol !== "TCP" && protocol !== "UDP")
    throw new Error(`protocol ${asked.get("protocol")}: tcp or udp expected`);
  const from = asked.get("from");
  const port = from === null ? ports[0] : ports.find(({ name }) => name === from);
  if (port === undefined) {
    throw new Error(`from ${from}: not one of the ports ${ports.map(({ name }) => name).join(", ")}`);
  }
  return {
    ...{ source, sourcePort: portOf(asked, "sourcePort"), destination },
    ...{ destinationPort: portOf(asked, "destinationPort"), protocol, port: port.id },
  };
}

function meaningOf(reason: DropReasonName): string {
  return DROP_MEANINGS[reason];
}

function addressOf(asked: URLSearchParams, name: string): IpAddress {
  const address = parseIpAddress(asked.get(name) ?? "");
  if (address === null) throw new Error(`${name} ${asked.get(name)}: an IP address expected`);
  return address;
}

function portOf(asked: URLSearchParams, name: string): number {
  const port = Number(asked.get(name) || Number.NaN);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`${name} ${asked.get(name)}: a number from 0 to 65535 expected`);
  }
  return port;
}
