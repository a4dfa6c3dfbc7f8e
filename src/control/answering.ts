/**
 * On which interfaces a node may answer for its addresses, as the datapath needs it; when it does, the nodes agree on.
 * Remembers its last answer: what did not change must stay the same value, so that nobody looks at it again.
 */
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import type { L2Address } from "./l2-addresses.ts";

type Owned = ForwardingSpec["owned"];

export class Answering {
  readonly #nodeName: string;
  #last: {
    readonly served: Owned;
    readonly links: readonly L2Address[];
    readonly owned: Owned;
    readonly l2: readonly L2Address[];
  } | null = null;

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  /** @returns the spec with its answers, and of the links those addresses that the node serves: no other may it attract. */
  of(
    spec: ForwardingSpec,
    links: readonly L2Address[],
  ): { readonly forwarding: ForwardingSpec; readonly l2: readonly L2Address[] } {
    if (this.#last?.served !== spec.owned || this.#last.links !== links) {
      const interfaces = new Map(
        links.map(({ address, candidates }) => [
          address,
          candidates.find(({ node }) => node === this.#nodeName)?.interfaces ?? [],
        ]),
      );
      const served = spec.owned.map((own) => ({ own, text: formatIpAddress(own.address) }));
      const texts = new Set(served.map(({ text }) => text));
      this.#last = {
        served: spec.owned,
        links,
        owned: served.map(({ own, text }) => {
          const answerOn = interfaces.get(text);
          return answerOn === undefined ? own : { ...own, answerOn };
        }),
        l2: links.filter(({ address }) => texts.has(address)),
      };
    }
    return { forwarding: { ...spec, owned: this.#last.owned }, l2: this.#last.l2 };
  }
}
