/**
 * A capture through the real pipeline: what the gateway would have sent, frame by frame, and why it would not have sent
 * the rest. The clock is the capture's.
 */
import type { HashKey } from "../dataplane/flow-hash.ts";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import { noPolicies, type PolicySet } from "../policy/policy-chain.ts";
import type { CaptureFile, FrameToWrite } from "../wire/capture-file.ts";
import { LINKTYPE_ETHERNET } from "../wire/capture-file.ts";
import { isSentByGateway } from "./capture-network.ts";
import { LONGEST_FRAME_BYTES, NodePlayer, ordinaryTables } from "./node-player.ts";
import { type ReadableCounters, readableCounters, START_SECONDS } from "./replay.ts";
import type { ScenarioNode } from "./scenario-node.ts";

export interface PacketResult {
  /** Its place in the capture, from 1, as Wireshark counts. */
  readonly packet: number;
  /** `own`: the gateway itself has sent it, so it is not fed. `unreadable`: see `reason`. */
  readonly verdict: "tx" | "reply" | "pass" | "drop" | "own" | "unreadable";
  /** The interface that it leaves by. */
  readonly iface?: string;
  readonly reason?: string;
}

export interface CaptureResult {
  readonly results: readonly PacketResult[];
  readonly counters: ReadableCounters;
  /** What leaves, in order; `interface` is an index of the node's. */
  readonly sent: readonly FrameToWrite[];
}

const FLOW_ROWS = 1 << 16;

export function replayCapture(
  capture: CaptureFile,
  node: ScenarioNode,
  spec: ForwardingSpec,
  key: HashKey,
  policies: PolicySet = noPolicies(),
): CaptureResult {
  const player = new NodePlayer(node, spec, {
    key,
    tables: ordinaryTables(FLOW_ROWS, node.neighbors.length),
    vips: spec.vips.length + 1,
    policies,
  });
  const results: PacketResult[] = [];
  const sent: FrameToWrite[] = [];
  const first = capture.frames[0]?.timestampSeconds ?? 0;
  let now = START_SECONDS;

  capture.frames.forEach((frame, index) => {
    const packet = index + 1;
    const { bytes, interface: port, timestampSeconds } = frame;
    const obstacle = obstacleTo(frame, capture);
    if (obstacle !== null) {
      results.push({ packet, verdict: "unreadable", reason: obstacle });
      return;
    }
    if (isSentByGateway(bytes, node.interfaces[port]!)) {
      results.push({ packet, verdict: "own" });
      return;
    }
    // Frames of several interfaces may be a little out of order; the clock never goes back.
    const time = Math.max(now, START_SECONDS + Math.floor(timestampSeconds - first));
    if (time > now) player.expire(time);
    now = time;
    const { verdict, departure, reason, also } = player.feed(bytes, port, now);
    if (departure === null) {
      results.push({ packet, verdict, reason: reason! });
    } else {
      results.push({ packet, verdict, iface: node.interfaces[departure.interface]!.name });
      sent.push({ ...departure, timestampSeconds, comment: `${verdict} of packet ${packet}` });
    }
    for (const each of also) sent.push({ ...each, timestampSeconds, comment: `freed by packet ${packet}` });
  });
  return { results, counters: readableCounters(player.counters), sent };
}

/** Why a frame can't be fed. */
function obstacleTo(
  { bytes, lengthBytes, interface: port }: CaptureFile["frames"][number],
  { interfaces }: CaptureFile,
): string | null {
  const { linkType } = interfaces[port]!;
  if (linkType !== LINKTYPE_ETHERNET) {
    return `it has no Ethernet header (link type ${linkType}): capture on one interface, not on \`any\``;
  }
  if (bytes.length < lengthBytes) {
    return `the capture has ${bytes.length} of its ${lengthBytes} bytes: capture with \`-s 0\``;
  }
  if (bytes.length > LONGEST_FRAME_BYTES) {
    return `${bytes.length} bytes are more than any link carries: capture with segmentation offload off, or on the wire`;
  }
  return null;
}
