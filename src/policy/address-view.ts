/** An address as hooks see it: turned to wherever one lies, so that showing it allocates nothing. */
import { type FlowKey, KEY_SOURCE, newFlowKey } from "../dataplane/flow-key.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { copyAddress, isMapped, loadAddress } from "../wire/raw.ts";
import type { FlowAddress } from "./define-policy.ts";

/** Hashes a key with the cluster's secret; a flow table does. */
export interface KeyHasher {
  hashKey(key: FlowKey): number;
}

const NOT_COMPUTED = -1;

export class AddressView implements FlowAddress {
  words: Int32Array;
  at = 0;
  readonly #hasher: KeyHasher;
  readonly #hashed: FlowKey = newFlowKey();
  #hash = NOT_COMPUTED;

  /** @param hasher that of IPv6, for an address of either family is four words here. */
  constructor(words: Int32Array, hasher: KeyHasher) {
    this.words = words;
    this.#hasher = hasher;
  }

  show(words: Int32Array, at: number): void {
    this.words = words;
    this.at = at;
    this.#hash = NOT_COMPUTED;
  }

  /** There is another address now where it looks already. */
  renew(): void {
    this.#hash = NOT_COMPUTED;
  }

  /** Computed when it is asked for the first time. */
  get hash(): number {
    if (this.#hash === NOT_COMPUTED) {
      copyAddress(this.#hashed, KEY_SOURCE, this.words, this.at);
      this.#hash = this.#hasher.hashKey(this.#hashed) >>> 1;
    }
    return this.#hash;
  }

  get isIpv4(): boolean {
    return isMapped(this.words, this.at);
  }

  toString(): string {
    return formatIpAddress(loadAddress(this.words, this.at));
  }
}
