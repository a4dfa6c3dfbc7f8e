/**
 * What this node has: addresses that it answers for, and those that it is giving away. Each change of an owner has a term,
 * larger than any that was heard of for the address. Pure; what is to be told or done about a change, the agreement knows.
 */
import type { Claim, Handover } from "./heartbeat.ts";

/** An address that is silent here and not claimed elsewhere yet. */
export interface Handing extends Handover {
  /** Since when. */
  readonly since: number;
}

export class Holdings {
  readonly #claims = new Map<string, Claim>();
  readonly #handing = new Map<string, Handing>();
  /** The largest that was heard of, by address. */
  readonly #terms = new Map<string, number>();

  /** What this node answers for. */
  get claims(): ReadonlyMap<string, Claim> {
    return this.#claims;
  }

  get handing(): ReadonlyMap<string, Handing> {
    return this.#handing;
  }

  get isEmpty(): boolean {
    return this.#claims.size === 0 && this.#handing.size === 0;
  }

  noteTerm(vip: string, term: number): void {
    if (term > (this.#terms.get(vip) ?? 0)) this.#terms.set(vip, term);
  }

  claim(vip: string, is: { readonly weak: boolean; readonly pinned: boolean }): void {
    const term = (this.#terms.get(vip) ?? 0) + 1;
    this.#terms.set(vip, term);
    this.#claims.set(vip, { vip, term, ...is });
  }

  /** @returns whether that is new. */
  weigh(claim: Claim, weak: boolean): boolean {
    if (claim.weak === weak) return false;
    this.#claims.set(claim.vip, { ...claim, weak });
    return true;
  }

  giveUp(vip: string): void {
    this.#claims.delete(vip);
  }

  handOver({ vip, term }: Claim, to: string, pinned: boolean, now: number): void {
    this.#claims.delete(vip);
    this.#handing.set(vip, { vip, term, to, pinned, since: now });
  }

  endHandover(vip: string): void {
    this.#handing.delete(vip);
  }

  forgetHandovers(): void {
    this.#handing.clear();
  }

  /** Addresses by node, this one too; what is on its way counts where it goes. */
  loadWith(others: ReadonlyMap<string, number>, self: string): Map<string, number> {
    const load = new Map(others);
    const add = (node: string, count: number) => load.set(node, (load.get(node) ?? 0) + count);
    add(self, this.#claims.size);
    for (const { to } of this.#handing.values()) add(to, 1);
    return load;
  }
}
