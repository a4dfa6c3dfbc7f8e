/**
 * The members as this node sees them, taken together: who lives, who claims what. Pure.
 */
import type { Claim, Handover } from "./heartbeat.ts";
import { Member } from "./member.ts";
import { rendezvousWeight } from "./rendezvous.ts";
import type { Timing } from "./timing.ts";

export interface HeldClaim {
  readonly member: Member;
  readonly claim: Claim;
}

export class Roll {
  readonly self: string;
  /** All others by name. */
  readonly members = new Map<string, Member>();
  /** All names in order, our own too. */
  #names: readonly string[];

  constructor(self: string) {
    this.self = self;
    this.#names = [self];
  }

  set(names: readonly string[]): void {
    this.#names = [...new Set([...names, this.self])].sort();
    for (const name of this.#names) {
      if (name !== this.self && !this.members.has(name)) this.members.set(name, new Member(name));
    }
    for (const name of this.members.keys()) {
      if (!this.#names.includes(name)) this.members.delete(name);
    }
  }

  living(): Member[] {
    return [...this.members.values()].filter(({ alive }) => alive);
  }

  /** When the first of the living would be missed. */
  nextMiss(timing: Timing): number {
    let next = Number.POSITIVE_INFINITY;
    for (const member of this.members.values()) if (member.alive) next = Math.min(next, member.missedAt(timing));
    return next;
  }

  /** All members live, and have what we have said. */
  allHave(version: number): boolean {
    for (const { alive, hasOfUs } of this.members.values()) if (!alive || hasOfUs !== version) return false;
    return true;
  }

  /** A living member has said something that we do not have yet, after the moment given. */
  isBehind(after: number): boolean {
    return this.living().some((member) => !member.isCurrent && member.staleSince > after);
  }

  /** More than half of the members are heard; of two halves, the one with the first name. */
  hearsMost(): boolean {
    const heard = this.#names.filter((name) => name === this.self || this.members.get(name)!.alive);
    const difference = heard.length * 2 - this.#names.length;
    return difference > 0 || (difference === 0 && heard[0] === this.#names[0]);
  }

  /** The claim of another living node that wins against all others. */
  bestClaim(vip: string): HeldClaim | null {
    let best: HeldClaim | null = null;
    for (const member of this.members.values()) {
      const claim = member.alive ? member.claims.get(vip) : undefined;
      if (claim === undefined) continue;
      if (best === null || outranks(claim, member.name, best.claim, best.member.name)) best = { member, claim };
    }
    return best;
  }

  /** What another living node is giving away. */
  handoverOf(vip: string): Handover | null {
    for (const member of this.members.values()) {
      const handover = member.alive ? member.handovers.get(vip) : undefined;
      if (handover !== undefined) return handover;
    }
    return null;
  }

  /** The dead node that had it last. */
  lastOwner(vip: string): Member | null {
    let last: Member | null = null;
    for (const member of this.members.values()) {
      const claim = member.alive ? undefined : member.claims.get(vip);
      if (claim !== undefined && (last === null || claim.term > last.claims.get(vip)!.term)) last = member;
    }
    return last;
  }

  /** Addresses by living node besides ours; what is on its way counts where it goes. */
  load(): Map<string, number> {
    const load = new Map<string, number>();
    const add = (node: string, count: number) => load.set(node, (load.get(node) ?? 0) + count);
    for (const member of this.living()) {
      add(member.name, member.claims.size);
      for (const { to } of member.handovers.values()) add(to, 1);
    }
    return load;
  }
}

/** Strong before weak, then the younger claim, then chance: the same on every node. */
export function outranks(a: Claim, aNode: string, b: Claim, bNode: string): boolean {
  if (a.weak !== b.weak) return b.weak;
  if (a.term !== b.term) return a.term > b.term;
  const [aWeight, bWeight] = [rendezvousWeight(a.vip, aNode), rendezvousWeight(b.vip, bNode)];
  return aWeight === bWeight ? aNode < bNode : aWeight > bWeight;
}
