/**
 * On which interfaces a node may answer for its addresses, as the datapath needs it; when it does, the nodes agree on.
 * Remembers its last answer: what did not change must stay the same value, so that nobody looks at it again.
 */
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import type { L2Address } from "./l2-addresses.ts";

type Owned = ForwardingSpec["owned"];

interface Answered {
  readonly served: Owned;
  readonly links: readonly L2Address[];
  readonly owned: Owned;
  readonly l2: readonly L2Address[];
}

export class Answering {
  readonly #nodeName: string;
  #last: Answered | null = null;

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  /** @returns the spec with its answers, and of the links those addresses that the node serves: no other may it attract. */
  of(
    spec: ForwardingSpec,
    links: readonly L2Address[],
  ): { readonly forwarding: ForwardingSpec; readonly l2: readonly L2Address[] } {
    if (this.#last?.served !== spec.owned || this.#last.links !== links) {
      const before = this.#last;
      const interfaces = new Map(
        links.map(({ address, candidates }) => [
          address,
          candidates.find(({ node }) => node === this.#nodeName)?.interfaces ?? [],
        ]),
      );
      const served = spec.owned.map((own) => ({ own, text: formatIpAddress(own.address) }));
      const texts = new Set(served.map(({ text }) => text));
      const owned = served.map(({ own, text }) => ({ ...own, answerOn: interfaces.get(text) ?? own.answerOn }));
      const l2 = links.filter(({ address }) => texts.has(address));
      const isOwnedKept = before?.served === spec.owned && owned.every((own, i) => isAlike(own, before.owned[i]!));
      const isL2Kept = before?.l2.length === l2.length && l2.every((one, i) => one === before.l2[i]);
      this.#last = {
        served: spec.owned,
        links,
        owned: isOwnedKept ? before.owned : owned,
        l2: isL2Kept ? before.l2 : l2,
      };
    }
    return { forwarding: { ...spec, owned: this.#last.owned }, l2: this.#last.l2 };
  }
}

/** Two versions of one address. */
function isAlike({ answerOn: a }: Owned[number], { answerOn: b }: Owned[number]): boolean {
  return a === b || (a !== "all" && b !== "all" && a.length === b.length && a.every((name, i) => name === b[i]));
}
