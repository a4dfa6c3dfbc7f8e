/**
 * A traced frame in words: ids of ports, VIPs and policies become the names that people know, and the flow's rows tell
 * what the frame alone does not (whose reply it is, which backend, which policy has decided).
 *
 * Of a frame that the kernel has sent on only the translated form is known; what it was stands in the row of the other
 * direction, which is the same the other way round.
 */
import { DROP_REASONS, DropReason } from "../dataplane/drop-reason.ts";
import {
  type FlowKey,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  newFlowKey,
  reverseKey,
} from "../dataplane/flow-key.ts";
import { type FlowTable, NO_ROW } from "../dataplane/flow-table.ts";
import { type ForwardingTable, NO_VIP } from "../dataplane/forwarding-table.ts";
import { Verdict } from "../dataplane/frame-batch.ts";
import type { IdRegistry } from "../dataplane/id-registry.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { destinationPortFromRaw, loadAddress, rawPorts, sourcePortFromRaw, storeAddress } from "../wire/raw.ts";
import type { FrameEnds, FrameEvent, FrameVerdict, PolicyDecision } from "./frame-event.ts";
import type { FrameRecord } from "./frame-record.ts";
import { formatEnd, type ReadFrame, readFrame } from "./read-frame.ts";

/** What the names come from. */
export interface TraceScene {
  /** One table per family. */
  readonly flows: readonly FlowTable[];
  readonly table: ForwardingTable;
  readonly ids: IdRegistry;
  /** Names by port id. */
  readonly ports: readonly string[];
  /** What a policy of that number, from 1, is called, and the words of an answer of a worker's. */
  readonly policies: PolicyNames;
  /** Milliseconds since 1970 when the monotonic clock was 0. */
  readonly bootMilliseconds: number;
}

export interface PolicyNames {
  name(policy: number): string | null;
  answer(kind: number): string;
  /** @param number that the worker has given the reason. */
  reason(worker: number, policy: number, number: number): string | null;
}

const VERDICT_WORDS = new Map<number, FrameVerdict>([
  [Verdict.Drop, "dropped"],
  [Verdict.Transmit, "forwarded"],
  [Verdict.Reply, "answered"],
  [Verdict.Pass, "passed"],
]);

/** Reasons of frames that come again. */
const HELD: readonly number[] = [DropReason.FragmentHeld, DropReason.NeighborAwaited];

/** What the flow's rows say of a frame. */
interface FlowWords {
  readonly isReply: boolean;
  readonly service: string | null;
  readonly client: string;
  readonly backend: string;
  readonly policy: number;
  readonly captured: boolean;
  readonly before: FrameEnds;
}

export function describeFrame(record: FrameRecord, scene: TraceScene, standsFor: number): FrameEvent {
  const before = record.before.length === 0 ? null : readFrame(record.before);
  const after = record.after.length === 0 ? null : readFrame(record.after);
  const seen = (before ?? after)!;
  const flow = flowOf(before, after, scene);
  const sent = record.verdict === Verdict.Transmit || record.verdict === Verdict.Reply;
  const ends = before === null ? (flow?.before ?? endsOf(seen)) : endsOf(before);
  return {
    time: scene.bootMilliseconds + record.nanoseconds / 1e6,
    port: scene.ports[record.port] ?? null,
    leavesBy: sent ? (scene.ports[record.egress] ?? null) : null,
    by: record.by,
    standsFor,
    direction: flow === null ? null : flow.isReply ? "reply" : "request",
    client: flow?.client ?? (seen.source === null ? null : formatIpAddress(seen.source)),
    protocol: seen.protocol,
    flags: seen.flags,
    lengthBytes: record.beforeLengthBytes || record.afterLengthBytes,
    ...ends,
    verdict: !sent && HELD.includes(record.reason) ? "held" : VERDICT_WORDS.get(record.verdict)!,
    reason: sent ? null : (DROP_REASONS[record.reason] ?? null),
    service: flow === null ? serviceAt(seen, scene) : flow.service,
    backend: flow?.backend ?? null,
    policy: decisionOf(record, flow, scene.policies),
    captured: flow?.captured ?? false,
    becomes: sent && after !== null ? endsOf(after) : null,
  };
}

function decisionOf(record: FrameRecord, flow: FlowWords | null, names: PolicyNames): PolicyDecision | null {
  const asked = record.policy !== 0;
  const number = asked ? record.policy : (flow?.policy ?? 0);
  const policy = number === 0 ? null : names.name(number);
  if (policy === null) return null;
  return {
    policy,
    answer: asked ? names.answer(record.answer) : null,
    reason: asked && record.answerReason !== 0 ? names.reason(record.worker, number, record.answerReason) : null,
  };
}

function flowOf(before: ReadFrame | null, after: ReadFrame | null, scene: TraceScene): FlowWords | null {
  const key = keyOf((before ?? after)!);
  if (key === null) return null;
  const flows = scene.flows[(before ?? after)!.source!.family === 4 ? 0 : 1]!;
  let row: number;
  if (before !== null) {
    row = flows.findKey(flows.hashKey(key), key);
  } else {
    const other = newFlowKey();
    reverseKey(other, key);
    const opposite = flows.findKey(flows.hashKey(other), other);
    row = opposite === NO_ROW ? NO_ROW : flows.peer(opposite);
  }
  return row === NO_ROW ? null : flowWords(flows, row, scene);
}

function flowWords(flows: FlowTable, row: number, { ids }: TraceScene): FlowWords {
  const isReply = flows.isReply(row);
  const key = newFlowKey();
  flows.loadKey(row, key);
  const translated = newFlowKey();
  flows.loadTranslation(row, translated);
  const owner = flows.words[row + flows.layout.owner]!;
  const request = isReply ? flows.peer(row) : row;
  return {
    isReply,
    service: ids.vipById(owner >>> 16)?.service ?? null,
    client: formatIpAddress(loadAddress(isReply ? translated : key, isReply ? KEY_DESTINATION : KEY_SOURCE)),
    backend: isReply
      ? formatEnd(loadAddress(key, KEY_SOURCE), sourcePortFromRaw(key[KEY_PORTS]!))
      : formatEnd(loadAddress(translated, KEY_DESTINATION), destinationPortFromRaw(translated[KEY_PORTS]!)),
    policy: request === NO_ROW ? 0 : flows.policyOf(request),
    captured: request !== NO_ROW && flows.isWatched(request),
    before: {
      source: formatEnd(loadAddress(key, KEY_SOURCE), sourcePortFromRaw(key[KEY_PORTS]!)),
      destination: formatEnd(loadAddress(key, KEY_DESTINATION), destinationPortFromRaw(key[KEY_PORTS]!)),
    },
  };
}

function serviceAt(frame: ReadFrame, { table, ids }: TraceScene): string | null {
  const key = keyOf(frame);
  if (key === null) return null;
  const vip = table.vip(key, KEY_DESTINATION, key[KEY_PORTS]! >>> 16, key[KEY_PROTOCOL]!);
  return vip === NO_VIP ? null : (ids.vipById(table.vipId(vip))?.service ?? null);
}

function keyOf({ source, destination, ports, number }: ReadFrame): FlowKey | null {
  if (source === null || destination === null || ports === null) return null;
  const key = newFlowKey();
  storeAddress(key, KEY_SOURCE, source);
  storeAddress(key, KEY_DESTINATION, destination);
  key[KEY_PORTS] = rawPorts(ports.source, ports.destination);
  key[KEY_PROTOCOL] = number;
  return key;
}

function endsOf({ source, destination, ports }: ReadFrame): FrameEnds {
  return {
    source: formatEnd(source, ports?.source ?? null),
    destination: formatEnd(destination, ports?.destination ?? null),
  };
}
