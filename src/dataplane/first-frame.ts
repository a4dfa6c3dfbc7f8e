/**
 * A flow's first frame: which VIP, which backend, which way out; then both rows of the flow. Both families alike.
 *
 * Called by the pipeline when a lookup found nothing, so a frame here is either the first of a flow, or not ours at all,
 * or a segment of a flow that this node never saw (routers moved it here): that one goes to the backend that Maglev
 * says, the same on every node; or, where another node has just handed the address over, to that node (hand-on.ts).
 */
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { copyAddress, isMapped, sameAddress } from "../wire/raw.ts";
import { sctpFlags } from "../wire/sctp.ts";
import { SYN, TCP_FLAGS } from "../wire/transport.ts";
import { isMartian, mayOpen } from "./admission.ts";
import { choiceHash, chooseBackend } from "./balancing.ts";
import { clientClock } from "./client-clock.ts";
import { DropReason } from "./drop-reason.ts";
import { isTunnel, openAtPod } from "./dsr-receive.ts";
import { openDsrFlow } from "./dsr-send.ts";
import { EGRESS_PAIR } from "./egress.ts";
import { endFlow, FlowEnd } from "./flow-end.ts";
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE } from "./flow-key.ts";
import { COLLISION, claimReply, openRequest, refuse } from "./flow-rows.ts";
import { type FlowTable, NO_ROW } from "./flow-table.ts";
import { MODE_NAT, NO_BACKEND, SOURCE_NAT } from "./forwarding-layout.ts";
import { NO_VIP } from "./forwarding-table.ts";
import { FrameKind } from "./frame-batch.ts";
import { handOn } from "./hand-on.ts";
import { refuseConnection } from "./icmp-error.ts";
import { heldBy, likelyBackend } from "./mid-flow.ts";
import type { NewFlowPolicies } from "./new-flow-policies.ts";
import type { Pipeline } from "./pipeline.ts";
import { claimSource, isHairpin } from "./source-nat.ts";
import { isClientOfNode, NO_EGRESS, requestPort, wayToBackend, wayToClient } from "./way-out.ts";

/** @returns the request row of the new flow, or `NO_ROW` when the frame has been dropped, answered or passed. */
export function openFlow(pipeline: Pipeline, i: number, isIpv4: boolean): number {
  const { batch, view, table, key } = pipeline;
  const flows = pipeline.flowsOf(isIpv4);
  const l4 = batch.transport[i]!;
  const protocol = batch.protocol[i]!;
  const hash = batch.hash[i]!;
  pipeline.loadKey(key, isIpv4, batch.network[i]!, l4, protocol);
  const ports = key[KEY_PORTS]!;

  let vip = table.vip(key, KEY_DESTINATION, ports >>> 16, protocol);
  if (vip === NO_VIP) {
    if (isTunnel(pipeline, i)) batch.kind[i] = FrameKind.Tunnel;
    else if (table.isLocalPod(key, KEY_DESTINATION)) return openAtPod(pipeline, i, isIpv4);
    else if (table.owns(key, KEY_DESTINATION)) refuseConnection(pipeline, i, DropReason.NoSuchVip);
    else pipeline.pass(i, DropReason.NotOurAddress);
    return NO_ROW;
  }
  if (isMartian(key, isIpv4) || sameAddress(key, KEY_SOURCE, key, KEY_DESTINATION)) {
    return refuse(pipeline, i, DropReason.MartianSource);
  }
  if (!table.allowsSource(vip, key, KEY_SOURCE)) return refuse(pipeline, i, DropReason.SourceNotAllowed);
  // UDP allows source port 0 ("no reply wanted", RFC 768); a reply row couldn't tell such flows apart.
  if ((ports & 0xffff) === 0) return refuse(pipeline, i, DropReason.PortZero);
  if (protocol !== PROTOCOL_UDP) {
    const flags = protocol === PROTOCOL_TCP ? view.getUint8(l4 + TCP_FLAGS) : sctpFlags(view, l4, batch.end[i]!);
    if ((flags & SYN) === 0 && handOn(pipeline, i)) return NO_ROW;
    if (!mayOpen(flags, table.strictSyn && !pipeline.tunnelled))
      return refuse(pipeline, i, DropReason.NoStateForSegment);
  }

  // What another node sent here has been asked about there.
  const decision = table.policies(vip) !== 0 && !pipeline.tunnelled ? pipeline.policies : null;
  if (decision !== null) {
    if (!decision.ask(i, vip)) return refuse(pipeline, i, DropReason.PolicyDenied);
    ({ vip } = decision);
  }
  flows.lock(hash);
  // Meanwhile another worker may have opened the flow, by a frame that came in by another queue.
  const opened = flows.findKey(hash, key);
  const row = opened === NO_ROW ? openTo(pipeline, i, isIpv4, vip, decision) : opened;
  flows.unlock(hash);
  return row;
}

/** Opens the flow of `pipeline.key` to a backend of a VIP. @param decision what policies have said; `null` for nothing. */
function openTo(pipeline: Pipeline, i: number, isIpv4: boolean, vip: number, decision: NewFlowPolicies | null): number {
  const { batch, table, key, translated } = pipeline;
  const flows = pipeline.flowsOf(isIpv4);
  const hash = batch.hash[i]!;
  const ports = key[KEY_PORTS]!;
  let backend = decision === null ? NO_BACKEND : decision.backend;
  let asks = false;
  if (backend === NO_BACKEND) {
    const isFirst = begins(pipeline, i);
    if (pipeline.tunnelled) {
      // What begins with another node's word stays here: two nodes that disagree must not send it to and fro. What does
      // not goes on to whose it is, down a list that ends.
      const named = table.localBackend(vip, choiceHash(pipeline, vip, hash));
      backend = isFirst ? named : heldBy(pipeline, isIpv4, vip, key, named);
      asks = backend !== named;
    } else if (!isFirst && table.formerSets(vip) > 0) {
      asks = true;
      backend = likelyBackend(pipeline, isIpv4, vip, choiceHash(pipeline, vip, hash));
    }
    if (backend === NO_BACKEND && !pipeline.tunnelled) backend = chooseBackend(pipeline, vip, hash, isFirst);
  }
  if (backend < 0) {
    if (table.rejects) refuseConnection(pipeline, i, DropReason.NoBackend);
    else pipeline.drop(i, DropReason.NoBackend);
    return NO_ROW;
  }
  const ofNode = isClientOfNode(pipeline, i);
  const byNat = table.mode(vip) === MODE_NAT || decision?.byNat === true;
  if (!byNat && !table.isLocal(backend) && !ofNode) {
    return noteDecision(decision, flows, openDsrFlow(pipeline, i, isIpv4, vip, backend, asks));
  }
  const owner = (table.vipId(vip) << 16) | table.backendId(backend);
  const isHopeless = !pipeline.exhausted.mayTry(owner, hash, pipeline.now);
  if (isHopeless && table.sourceNat(vip) === SOURCE_NAT.node) {
    return refuse(pipeline, i, DropReason.SourcePortsExhausted);
  }
  if (isMapped(table.backends, backend) !== isIpv4) return refuse(pipeline, i, DropReason.NoBackend);
  copyAddress(translated, KEY_SOURCE, key, KEY_SOURCE);
  copyAddress(translated, KEY_DESTINATION, table.backends, backend);
  translated[KEY_PORTS] = (ports & 0xffff) | (table.backendPort(backend) << 16);
  translated[KEY_PROTOCOL] = key[KEY_PROTOCOL]!;

  const requestEgress = wayToBackend(pipeline, i);
  if (requestEgress === NO_EGRESS) return NO_ROW;
  const sourceNat = ofNode || needsSourceNat(pipeline, i, vip, requestEgress);
  if (sourceNat && isHopeless) return refuse(pipeline, i, DropReason.SourcePortsExhausted);
  const replyEgress = wayToClient(pipeline, i, requestEgress, ofNode, sourceNat);
  if (replyEgress === NO_EGRESS) return NO_ROW;
  const port = requestPort(pipeline, i, requestEgress);
  const reply = sourceNat
    ? claimSource(pipeline, flows, isIpv4, port, hash, replyEgress, owner, clientClock(pipeline, i))
    : claimReply(pipeline, flows, key, replyEgress, owner);
  if (reply < 0) {
    const full = sourceNat ? DropReason.SourcePortsExhausted : DropReason.FlowTableFull;
    return refuse(pipeline, i, reply === COLLISION ? DropReason.TupleCollision : full);
  }
  return noteDecision(decision, flows, openRequest(pipeline, i, flows, reply, requestEgress, owner));
}

/** Notes in a request row, if there is one, which policy has decided, and whether it wants the flow to be seen. */
function noteDecision(decision: NewFlowPolicies | null, flows: FlowTable, request: number): number {
  if (decision === null || request === NO_ROW) return request;
  if (decision.policy !== 0 && flows.policyOf(request) === 0) flows.markPolicy(request, decision.policy);
  if (decision.watched) flows.markWatched(request);
  return request;
}

/** Ends a flow whose client begins again, and opens it anew. @param peer the flow's other row, or `NO_ROW`. */
export function reopenFlow(pipeline: Pipeline, i: number, isIpv4: boolean, row: number, peer: number): number {
  const flows = pipeline.flowsOf(isIpv4);
  flows.loadTranslation(row, pipeline.translated);
  pipeline.formerSourcePort = pipeline.translated[KEY_PORTS]! & 0xffff;
  endFlow(flows, row, peer, FlowEnd.closed, pipeline.now);
  const begun = openFlow(pipeline, i, isIpv4);
  pipeline.formerSourcePort = 0;
  return begun;
}

/** Whether a frame is the first of its flow, as far as can be told. */
function begins({ batch, view }: Pipeline, i: number): boolean {
  const l4 = batch.transport[i]!;
  if (batch.protocol[i] === PROTOCOL_UDP) return true;
  const flags = batch.protocol[i] === PROTOCOL_TCP ? view.getUint8(l4 + TCP_FLAGS) : sctpFlags(view, l4, batch.end[i]!);
  return (flags & SYN) !== 0;
}

function needsSourceNat(pipeline: Pipeline, i: number, vip: number, requestEgress: number): boolean {
  switch (pipeline.table.sourceNat(vip)) {
    case SOURCE_NAT.none:
      return false;
    case SOURCE_NAT.node:
      return true;
    case SOURCE_NAT.hairpin:
      return isHairpin(pipeline.key, pipeline.translated);
    default: {
      const beforeStack = pipeline.ports.pair(pipeline.batch.port[i]!) >= 0;
      const remote = beforeStack && (requestEgress & EGRESS_PAIR) === 0;
      return remote || isHairpin(pipeline.key, pipeline.translated);
    }
  }
}
