/**
 * Which of several nodes answers for an address on a link, as far as it follows from the manifests alone: the most preferred,
 * and of those the one that MetalLB would take, so that a change over to Sluice moves nothing. Every node comes to the
 * same answer without asking anybody. Running nodes also balance, and keep an owner for as long as it lives, so among
 * equals another one may answer; `sluice l2 owners` tells.
 */
import { sha256 } from "../net/sha256.ts";

export interface L2Candidate {
  readonly node: string;
  /** On which it may answer; empty where nothing says which ones it has. */
  readonly interfaces: readonly string[];
  /** Larger is preferred. */
  readonly score: number;
}

/** From the best to the worst. `key` is the first address of the Service, so that both families go together. */
export function rankCandidates<Candidate extends Pick<L2Candidate, "node" | "score">>(
  candidates: readonly Candidate[],
  key: string,
): readonly Candidate[] {
  return candidates
    .map((candidate) => ({ candidate, hash: sha256(`${candidate.node}#${key}`) }))
    .sort((a, b) => b.candidate.score - a.candidate.score || (a.hash < b.hash ? -1 : 1))
    .map(({ candidate }) => candidate);
}
