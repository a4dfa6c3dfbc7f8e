/**
 * Which backend a new flow gets.
 *
 *   maglev              by the flow's hash: the same on every node, so a flow that routers move stays where it is
 *   random              by a number that only this worker has; shares follow the weights
 *   least-connections   the one with the fewest live flows for its weight; of many backends a few are compared, which
 *                       comes close (M. Mitzenmacher, "The Power of Two Choices", 2001)
 *
 * The last two can't know what another node chose: segments in the middle of an unknown flow go by Maglev always.
 *
 * With client affinity the first choice is remembered for all ports of the Service (affinity-table.ts), and it is made by
 * the client's address alone, so nodes that never heard of the client agree on it.
 */
import { copyAddress } from "../wire/raw.ts";
import { KEY_SOURCE } from "./flow-key.ts";
import { BALANCING, NO_BACKEND } from "./forwarding-layout.ts";
import type { Pipeline } from "./pipeline.ts";

/** More are not compared. */
const COMPARED = 8;

/**
 * The backend for the flow of `pipeline.key`; `NO_BACKEND` when the VIP has none that takes new flows.
 * @param hash of the flow. @param begins whether the frame is the first of its flow, not of its middle.
 */
export function chooseBackend(pipeline: Pipeline, vip: number, hash: number, begins: boolean): number {
  const { table, key, affinity, now } = pipeline;
  const seconds = table.affinitySeconds(vip);
  if (seconds === 0) return firstChoice(pipeline, vip, hash, begins);
  const service = table.service(vip);
  const known = affinity.find(key, KEY_SOURCE, service, seconds, now);
  const backend = known < 0 ? NO_BACKEND : table.servingAt(vip, affinity.words, known);
  const chosen = backend === NO_BACKEND ? firstChoice(pipeline, vip, clientHash(pipeline), begins) : backend;
  if (chosen !== NO_BACKEND) affinity.remember(key, KEY_SOURCE, service, table.backends, chosen, seconds, now);
  return chosen;
}

function firstChoice(pipeline: Pipeline, vip: number, hash: number, begins: boolean): number {
  const { table } = pipeline;
  const way = begins ? table.balancing(vip) : BALANCING.maglev;
  if (way === BALANCING.random) return table.backend(vip, nextNumber(pipeline, hash));
  if (way === BALANCING["least-connections"]) return leastLoaded(pipeline, vip, hash);
  return table.backend(vip, hash);
}

function leastLoaded(pipeline: Pipeline, vip: number, hash: number): number {
  const { table, load } = pipeline;
  const count = table.backendCount(vip);
  const vipPart = table.vipId(vip) << 16;
  let best = NO_BACKEND;
  let bestFlows = 0;
  let bestWeight = 1;
  const first = count === 0 ? 0 : nextNumber(pipeline, hash) % count;
  for (let turn = 0; turn < count && turn < COMPARED; turn++) {
    // All of few, from any of them on; of many some that the weights favour.
    const backend =
      count <= COMPARED ? table.backendAt(vip, (first + turn) % count) : table.backend(vip, nextNumber(pipeline, hash));
    const flows = load.flows(vipPart | table.backendId(backend)) + 1;
    const weight = table.backendWeight(backend);
    if (best !== NO_BACKEND && flows * bestWeight >= bestFlows * weight) continue;
    best = backend;
    bestFlows = flows;
    bestWeight = weight;
  }
  return best;
}

/** A number that nobody outside can foretell: a keyed hash, and how many there have been. Unsigned. */
function nextNumber(pipeline: Pipeline, hash: number): number {
  pipeline.choices = (pipeline.choices + 1) | 0;
  let mixed = Math.imul(hash ^ Math.imul(pipeline.choices, 0x9e3779b1), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** The hash by which a VIP chooses: with affinity not the flow's, which is given, but its client's. */
export function choiceHash(pipeline: Pipeline, vip: number, hash: number): number {
  return pipeline.table.affinitySeconds(vip) === 0 ? hash : clientHash(pipeline);
}

/** Hash of the client's address alone, by the flow hash's key: the same on every node. */
function clientHash({ flows6, key, spareKey }: Pipeline): number {
  spareKey.fill(0);
  copyAddress(spareKey, KEY_SOURCE, key, KEY_SOURCE);
  return flows6.hashKey(spareKey);
}
