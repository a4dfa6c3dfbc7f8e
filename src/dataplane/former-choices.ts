/**
 * What VIPs chose from before: the sets of backends that took new flows in epochs that have passed. A connection stays with
 * the backend that it began with while pods come and go; a node that gets it in its middle knows by these which other
 * backends it may have (mid-flow.ts).
 *
 * Only VIPs of direct server return have any use for it: elsewhere a flow can't go on by another node unless that one
 * chooses the same. A set costs a Maglev table of 32 kB where no other VIP has it, so there is a bound on all of them
 * together, and the oldest go first.
 *
 *   words   for each VIP  [sets, where each begins]
 *           for each set  [its Maglev table or -1, backends, for each where it is among the VIP's backends now or -1]
 */
import type { CompiledVip } from "./compiled-vip.ts";
import { MODE_NAT } from "./forwarding-layout.ts";
import type { BackendSpec } from "./forwarding-spec.ts";
import { endpointKey } from "./id-registry.ts";
import { MaglevMemory } from "./maglev-memory.ts";

/** More than pods that are replaced one by one leave behind while connections move. */
const MOST_OF_VIP = 8;
const MOST_OF_ALL = 512;

interface FormerSet {
  readonly name: string;
  readonly serving: readonly BackendSpec[];
}

interface Remembered {
  vip: CompiledVip;
  now: FormerSet;
  /** The newest first; none is `now`, and none is there twice. */
  former: FormerSet[];
}

export class FormerChoices {
  readonly #remembered = new Map<number, Remembered>();
  /** All former sets of all VIPs, the oldest first. */
  readonly #ages = new Map<FormerSet, number>();

  /** Tells of the VIPs of an epoch, all of them. */
  note(vips: readonly CompiledVip[]): void {
    const noted = new Set<number>();
    for (const vip of vips) {
      if (vip.mode === MODE_NAT) continue;
      noted.add(vip.ids.id);
      this.#noteVip(vip);
    }
    for (const id of [...this.#remembered.keys()].filter((known) => !noted.has(known))) this.#forget(id);
    for (const [oldest, id] of this.#ages) {
      if (this.#ages.size <= MOST_OF_ALL) break;
      this.#drop(this.#remembered.get(id)!, oldest);
    }
  }

  /** Maglev tables of another size would choose otherwise. */
  clear(): void {
    this.#remembered.clear();
    this.#ages.clear();
  }

  /**
   * The words of one VIP, as if they stood at `at`; none where it has no former set that still has a backend.
   * @param first where the VIP's backends begin, in backends.
   */
  wordsOf(vip: CompiledVip, first: number, at: number, maglev: MaglevMemory): number[] {
    const former = this.#remembered.get(vip.ids.id)?.former ?? [];
    if (former.length === 0) return [];
    const places = new Map(vip.members.map((backend, place) => [endpointKey(backend), first + place]));
    const sets = former
      .map(({ name, serving }) => ({ name, serving, now: serving.map((one) => places.get(endpointKey(one)) ?? -1) }))
      .filter(({ now }) => now.some((place) => place >= 0));
    const words = [sets.length, ...sets.map(() => 0)];
    sets.forEach(({ name, serving, now }, index) => {
      words[1 + index] = at + words.length;
      words.push(serving.length > 1 ? maglev.place(name, serving) : -1, now.length, ...now);
    });
    return sets.length === 0 ? [] : words;
  }

  #noteVip(vip: CompiledVip): void {
    const { id } = vip.ids;
    const known = this.#remembered.get(id);
    if (known?.vip === vip) return;
    const now = { name: MaglevMemory.nameOf(vip.serving), serving: vip.serving };
    if (known === undefined) {
      this.#remembered.set(id, { vip, now, former: [] });
      return;
    }
    known.vip = vip;
    if (known.now.name === now.name) return;
    if (known.now.serving.length > 0) {
      known.former.unshift(known.now);
      this.#ages.set(known.now, id);
    }
    known.now = now;
    const again = known.former.find(({ name }) => name === now.name);
    if (again !== undefined) this.#drop(known, again);
    if (known.former.length > MOST_OF_VIP) this.#drop(known, known.former.at(-1)!);
  }

  #drop(remembered: Remembered, set: FormerSet): void {
    remembered.former = remembered.former.filter((one) => one !== set);
    this.#ages.delete(set);
  }

  #forget(id: number): void {
    for (const set of this.#remembered.get(id)!.former) this.#ages.delete(set);
    this.#remembered.delete(id);
  }
}
