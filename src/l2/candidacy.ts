/**
 * Which nodes may own which address now: what is planned, less what nodes say that they can't, less those that were waited
 * for in vain. Pure.
 */
import type { PlannedVip } from "./event.ts";
import type { Roll } from "./roll.ts";
import type { Timing } from "./timing.ts";

const PASSED_OVER_MILLISECONDS = 10_000;
/** By then a claim that was made at the same time as ours has come, also where one message of it was lost. */
const CLAIM_HEARTBEATS = 1.5;

export class Candidacy {
  /** What this node can own, but not well. */
  poor: ReadonlySet<string> = new Set();
  draining = false;
  #refused: ReadonlySet<string> = new Set();
  readonly #roll: Roll;
  readonly #timing: Timing;
  #planned: ReadonlyMap<string, PlannedVip> = new Map();
  /** Who should claim an address, and since when. */
  readonly #awaited = new Map<string, { readonly node: string; readonly since: number }>();
  /** Until when a node is passed over for an address, by both. */
  readonly #passedOver = new Map<string, number>();
  /** Of the moment that was asked about last. */
  #heldAt = Number.NaN;
  #heldNodes: ReadonlySet<string> = new Set();

  constructor(roll: Roll, timing: Timing) {
    this.#roll = roll;
    this.#timing = timing;
  }

  plan(vips: readonly PlannedVip[]): void {
    this.#planned = new Map(vips.map((planned) => [planned.vip, planned]));
    for (const vip of this.#awaited.keys()) if (!this.#planned.has(vip)) this.#awaited.delete(vip);
  }

  /** What this node can't own. */
  get refused(): ReadonlySet<string> {
    return this.#refused;
  }

  /** @returns whether it can own something again. */
  refuse(vips: ReadonlySet<string>): boolean {
    const isAbleAgain = [...this.#refused].some((vip) => !vips.has(vip));
    this.#refused = vips;
    return isAbleAgain;
  }

  vips(): Iterable<string> {
    return this.#planned.keys();
  }

  isPlannedHere(vip: string): boolean {
    return this.#planned.get(vip)?.candidates.includes(this.#roll.self) ?? false;
  }

  /** Whether this node could answer for an address. */
  canOwn(vip: string): boolean {
    return !this.draining && this.isPlannedHere(vip) && !this.#refused.has(vip);
  }

  /** Who may own an address, the best kind of them: this node too. */
  candidates(vip: string, now: number): string[] {
    const held = this.#held(now);
    const self = this.canOwn(vip) ? [this.#roll.self] : [];
    const member = (node: string) => this.#roll.members.get(node);
    const wanted = this.#planned.get(vip)?.preferred ?? [];
    const well = preferring(
      preferring(
        preferring([...self, ...this.#able(vip)], (node) => !this.#isPassedOver(vip, node, now)),
        (node) => !(member(node)?.poor ?? this.poor).has(vip),
      ),
      (node) => !held.has(node),
    );
    return preferring(well, (node) => wanted.includes(node));
  }

  /** To whom this node may give an address of its own accord. */
  takers(vip: string, now: number): string[] {
    const held = this.#held(now);
    return this.#able(vip).filter((name) => {
      const member = this.#roll.members.get(name)!;
      return !held.has(name) && !member.poor.has(vip) && !this.#isPassedOver(vip, name, now);
    });
  }

  /** Whether another node could answer for an address, be it well or not. */
  isAble(vip: string, node: string): boolean {
    return this.#able(vip).includes(node);
  }

  /** Nobody has the address, and that node should claim it; one that does not for long enough is passed over. */
  awaitClaim(vip: string, node: string, now: number): void {
    const awaited = this.#awaited.get(vip);
    if (awaited?.node !== node) this.#awaited.set(vip, { node, since: now });
    else if (now - awaited.since >= this.#timing.heartbeatMilliseconds * CLAIM_HEARTBEATS)
      this.passOver(vip, node, now);
  }

  /** Somebody has the address. */
  settled(vip: string): void {
    this.#awaited.delete(vip);
  }

  /** It should have taken the address and has not: for a while others are preferred. */
  passOver(vip: string, node: string, now: number): void {
    this.#awaited.delete(vip);
    this.#passedOver.set(`${vip} ${node}`, now + PASSED_OVER_MILLISECONDS);
  }

  #able(vip: string): string[] {
    return (this.#planned.get(vip)?.candidates ?? []).filter((name) => {
      const member = this.#roll.members.get(name);
      return member?.alive && member.ready && !member.draining && !member.refused.has(vip);
    });
  }

  /** One who holds a node is enough: the others may not have seen it go. */
  #held(now: number): ReadonlySet<string> {
    if (this.#heldAt === now) return this.#heldNodes;
    const held = new Set(this.#roll.living().flatMap(({ holds }) => [...holds]));
    for (const member of this.#roll.members.values()) if (member.isHeld(now)) held.add(member.name);
    this.#heldAt = now;
    this.#heldNodes = held;
    return held;
  }

  #isPassedOver(vip: string, node: string, now: number): boolean {
    if (this.#passedOver.size === 0) return false;
    const until = this.#passedOver.get(`${vip} ${node}`);
    if (until === undefined) return false;
    if (now < until) return true;
    this.#passedOver.delete(`${vip} ${node}`);
    return false;
  }
}

/** Those that are preferred, or all where none is. */
function preferring(nodes: string[], isPreferred: (node: string) => boolean): string[] {
  const preferred = nodes.filter(isPreferred);
  return preferred.length > 0 ? preferred : nodes;
}
