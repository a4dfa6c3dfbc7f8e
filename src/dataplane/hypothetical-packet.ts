/**
 * What would become of a packet, by the tables in force: first whether a live flow has it, else as the first of a new one,
 * through the very pipeline that the workers run.
 *
 * Nothing of what is asked happens: the flow is opened in a table of its own, and everything that a frame may write to (what
 * clients keep, how busy backends are, notes about neighbours, counters) is a copy. So two things may differ from what a real
 * packet gets: backends that are chosen at random, and policies, which are named but not asked. And one is not asked about: a
 * connection that routers have moved here in its middle may be that of a backend of before (mid-flow.ts).
 */
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import { formatMac, type Mac } from "../net/mac.ts";
import { packetFrame } from "../wire/packet.ts";
import { destinationPortFromRaw, loadAddress, rawPorts, sourcePortFromRaw, storeAddress } from "../wire/raw.ts";
import { sharedCopy } from "./address-hash.ts";
import { AffinityTable } from "./affinity-table.ts";
import { BackendLoad } from "./backend-load.ts";
import type { BalancingMemory } from "./balancing-memory.ts";
import { countersMemory } from "./counters.ts";
import { DROP_REASONS, type DropReasonName } from "./drop-reason.ts";
import type { Fib } from "./fib.ts";
import type { HashKey } from "./flow-hash.ts";
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, newFlowKey } from "./flow-key.ts";
import { type FlowState, flowState } from "./flow-state.ts";
import { type FlowTable, NO_ROW, PROBE_LIMIT, TAG_OFFLOADED } from "./flow-table.ts";
import { FlowTable4, flowTable4Memory } from "./flow-table4.ts";
import { FlowTable6, flowTable6Memory } from "./flow-table6.ts";
import { PROTOCOL_NUMBER } from "./forwarding-layout.ts";
import { type ForwardingTable, NO_VIP } from "./forwarding-table.ts";
import { FragmentTable } from "./fragment-table.ts";
import { FRAME_HEADROOM_BYTES, FrameBatch, Verdict } from "./frame-batch.ts";
import { NeighborRequests } from "./neighbor-requests.ts";
import { NeighborTable } from "./neighbor-table.ts";
import { Pipeline } from "./pipeline.ts";
import { PortTable } from "./port-table.ts";

/** What the running datapath forwards by. */
export interface TablesInForce {
  /** One table per family. */
  readonly flows: readonly FlowTable[];
  readonly table: ForwardingTable;
  readonly fib: Fib;
  readonly ports: PortTable;
  readonly neighbors: NeighborTable;
  readonly balancing: BalancingMemory;
  readonly key: HashKey;
  /** Monotonic seconds. */
  readonly now: number;
}

export interface HypotheticalPacket {
  readonly source: IpAddress;
  readonly sourcePort: number;
  /** Of the same family. */
  readonly destination: IpAddress;
  readonly destinationPort: number;
  readonly protocol: "TCP" | "UDP";
  /** Id of the port that it comes in by. */
  readonly port: number;
}

interface PacketEnds {
  readonly source: string;
  readonly destination: string;
}

export interface PacketFate {
  readonly verdict: "forwarded" | "answered by the gateway" | "dropped" | "left to the kernel";
  /** Why it is not forwarded. */
  readonly reason: DropReasonName | null;
  /** A live flow that it belongs to. */
  readonly flow: { readonly state: FlowState; readonly by: "kernel" | "worker"; readonly isReply: boolean } | null;
  /** Id of the VIP that it is for; `null` when it is for none. */
  readonly vip: number | null;
  /** Whether policies would be asked first. */
  readonly asksPolicies: boolean;
  /** Its addresses and ports as it goes on, */
  readonly becomes: PacketEnds | null;
  /** and the next hop: by which port, and to which MAC. */
  readonly leavesBy: { readonly port: number; readonly mac: string } | null;
}

const VERDICT_WORDS = new Map<number, PacketFate["verdict"]>([
  [Verdict.Drop, "dropped"],
  [Verdict.Transmit, "forwarded"],
  [Verdict.Reply, "answered by the gateway"],
  [Verdict.Pass, "left to the kernel"],
]);
const FRAME_BYTES = 2048;
const MOST_VIPS = 1 << 16;

export function explainPacket(packet: HypotheticalPacket, tables: TablesInForce): PacketFate {
  const key = keyOf(packet);
  const flows = tables.flows[packet.source.family === 4 ? 0 : 1]!;
  const row = flows.findKey(flows.hashKey(key), key);
  return row === NO_ROW ? ofNewFlow(packet, key, tables) : ofLiveFlow(flows, row);
}

function keyOf({ source, sourcePort, destination, destinationPort, protocol }: HypotheticalPacket): FlowKey {
  const key = newFlowKey();
  storeAddress(key, KEY_SOURCE, source);
  storeAddress(key, KEY_DESTINATION, destination);
  key[KEY_PORTS] = rawPorts(sourcePort, destinationPort);
  key[KEY_PROTOCOL] = PROTOCOL_NUMBER[protocol];
  return key;
}

function ofLiveFlow(flows: FlowTable, row: number): PacketFate {
  const { words, layout } = flows;
  const isReply = flows.isReply(row);
  const [request, reply] = isReply ? [flows.peer(row), row] : [row, flows.peer(row)];
  return {
    verdict: "forwarded",
    reason: null,
    flow: {
      state: request === NO_ROW ? "opening" : flowState(flows, request, reply),
      by: (words[row + layout.tag]! & TAG_OFFLOADED) !== 0 ? "kernel" : "worker",
      isReply,
    },
    vip: words[row + layout.owner]! >>> 16,
    asksPolicies: false,
    becomes: translationOf(flows, row),
    leavesBy: null,
  };
}

function ofNewFlow(packet: HypotheticalPacket, key: FlowKey, tables: TablesInForce): PacketFate {
  const { table } = tables;
  const load = new BackendLoad(sharedCopy(tables.balancing.load));
  const own = {
    flows4: new FlowTable4(flowTable4Memory(PROBE_LIMIT), tables.key, load),
    flows6: new FlowTable6(flowTable6Memory(PROBE_LIMIT), tables.key, load),
    ports: new PortTable(sharedCopy(tables.ports.words)),
    neighbors: new NeighborTable(sharedCopy(tables.neighbors.words)),
    neighborRequests: new NeighborRequests(),
    fragments: new FragmentTable(),
    counters: countersMemory(MOST_VIPS),
    affinity: new AffinityTable(sharedCopy(tables.balancing.affinity)),
  };
  const batch = new FrameBatch(1);
  const bytes = new Uint8Array(FRAME_BYTES);
  const frame = frameAt(packet, own.ports);
  bytes.set(frame, FRAME_HEADROOM_BYTES);
  batch.holdOne(FRAME_HEADROOM_BYTES, frame.length, packet.port);
  new Pipeline(batch, new DataView(bytes.buffer), own, table, tables.fib).run(tables.now);

  const flows = packet.source.family === 4 ? own.flows4 : own.flows6;
  const row = flows.findKey(flows.hashKey(key), key);
  const verdict = batch.verdict[0]!;
  const counted = own.counters.reasons.findIndex((count) => count > 0);
  const vip = table.vip(key, KEY_DESTINATION, key[KEY_PORTS]! >>> 16, key[KEY_PROTOCOL]!);
  return {
    verdict: VERDICT_WORDS.get(verdict)!,
    reason: counted < 0 ? null : DROP_REASONS[counted]!,
    flow: null,
    vip: vip === NO_VIP ? null : table.vipId(vip),
    asksPolicies: vip !== NO_VIP && table.policies(vip) !== 0,
    becomes: row === NO_ROW ? null : translationOf(flows, row),
    leavesBy: verdict === Verdict.Transmit ? { port: batch.egress[0]!, mac: macAt(bytes, batch.offset[0]!) } : null,
  };
}

/** A first frame as it would come in: a SYN, or an empty datagram, in the VLAN of its port. */
function frameAt(packet: HypotheticalPacket, ports: PortTable): Uint8Array {
  const { source, sourcePort, destination, destinationPort, protocol, port } = packet;
  const frame = packetFrame({
    from: { mac: 0x02_00_00_00_00_01 as Mac, address: source, port: sourcePort },
    to: { mac: 0 as Mac, address: destination, port: destinationPort },
    protocol: protocol === "TCP" ? "tcp" : "udp",
    flags: "S",
    payload: new Uint8Array(),
  });
  const tags = [ports.outerTag(port), ports.innerTag(port)].filter((tag) => tag !== 0);
  const tagged = new Uint8Array(frame.length + tags.length * 4);
  tagged.set(frame.subarray(0, 12));
  tagged.set(frame.subarray(12), 12 + tags.length * 4);
  const view = new DataView(tagged.buffer);
  view.setInt32(0, ports.macFirst(port), true);
  view.setUint16(4, ports.macLast(port), true);
  for (const [place, tag] of tags.entries()) view.setInt32(12 + place * 4, tag, true);
  return tagged;
}

function translationOf(flows: FlowTable, row: number): PacketEnds {
  const key = newFlowKey();
  flows.loadTranslation(row, key);
  const ports = key[KEY_PORTS]!;
  return {
    source: endpoint(loadAddress(key, KEY_SOURCE), sourcePortFromRaw(ports)),
    destination: endpoint(loadAddress(key, KEY_DESTINATION), destinationPortFromRaw(ports)),
  };
}

function endpoint(address: IpAddress, port: number): string {
  const text = formatIpAddress(address);
  return address.family === 4 ? `${text}:${port}` : `[${text}]:${port}`;
}

function macAt(bytes: Uint8Array, at: number): string {
  return formatMac([...bytes.subarray(at, at + 6)].reduce((mac, octet) => mac * 256 + octet, 0) as Mac);
}
