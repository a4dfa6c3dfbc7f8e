/** An address as hooks see it: turned to wherever one lies, so that showing it allocates nothing. */
import { type FlowKey, KEY_SOURCE, newFlowKey } from "../dataplane/flow-key.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { copyAddress, isMapped, loadAddress } from "../wire/raw.ts";
import type { FlowAddress } from "./define-policy.ts";

/** What hashes an address with the cluster's secret: the flow tables, each those of its family. */
export interface AddressHashers {
  readonly flows4: { hash(source: number, destination: number, ports: number, protocol: number): number };
  readonly flows6: { hashKey(key: FlowKey): number };
}

const NOT_COMPUTED = -1;
/** Of the four, the one that an IPv4 address is. */
const IPV4_WORD = 3;

export class AddressView implements FlowAddress {
  words: Int32Array;
  at = 0;
  readonly #flows4: AddressHashers["flows4"];
  readonly #flows6: AddressHashers["flows6"];
  readonly #hashed: FlowKey = newFlowKey();
  #hash = NOT_COMPUTED;

  constructor(words: Int32Array, { flows4, flows6 }: AddressHashers) {
    this.words = words;
    this.#flows4 = flows4;
    this.#flows6 = flows6;
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
      this.#hash = (this.isIpv4 ? this.#hash4() : this.#hash6()) >>> 1;
    }
    return this.#hash;
  }

  #hash4(): number {
    return this.#flows4.hash(this.words[this.at + IPV4_WORD]!, 0, 0, 0);
  }

  #hash6(): number {
    copyAddress(this.#hashed, KEY_SOURCE, this.words, this.at);
    return this.#flows6.hashKey(this.#hashed);
  }

  get isIpv4(): boolean {
    return isMapped(this.words, this.at);
  }

  toString(): string {
    return formatIpAddress(loadAddress(this.words, this.at));
  }
}
