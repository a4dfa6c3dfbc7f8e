/** The BPF maps by which the XDP program knows which addresses are ours: written by difference, never emptied. */
import type { OwnedAddress } from "../dataplane/forwarding-spec.ts";
import { formatIpAddress, type IpAddress, type IpFamily } from "../net/ip-address.ts";
import type { BpfMap } from "../xdp/bpf-map.ts";
import { encodeAddress } from "../xdp/door-maps.ts";

/** Flags of `owned4` and `owned6` in native/bpf/maps.h. */
const OWNED_SERVE = 1 << 0;
const OWNED_RESOLVE_ALL = 1 << 1;

/** The maps of one family: owned addresses, and those that are answered for on single interfaces. */
export interface FamilyMaps {
  readonly owned: BpfMap;
  readonly answered: BpfMap;
}

interface Entry {
  readonly family: IpFamily;
  readonly key: Uint8Array;
  readonly value: number;
}

export class OwnedMap {
  readonly #maps: Readonly<Record<IpFamily, FamilyMaps>>;
  #addresses = new Map<string, Entry>();
  #answered = new Map<string, Entry>();

  constructor(maps: Readonly<Record<IpFamily, FamilyMaps>>) {
    this.#maps = maps;
  }

  /** @param interfaceIndex of an interface that is answered on; `null` when it is no port. */
  apply(owned: readonly OwnedAddress[], interfaceIndex: (name: string) => number | null): void {
    const addresses = new Map<string, Entry>();
    const answered = new Map<string, Entry>();
    for (const { address, answerOn } of owned) {
      const { family } = address;
      const key = networkOrder(address);
      const value = OWNED_SERVE | (answerOn === "all" ? OWNED_RESOLVE_ALL : 0);
      addresses.set(formatIpAddress(address), { family, key, value });
      if (answerOn === "all") continue;
      for (const name of answerOn) {
        const index = interfaceIndex(name);
        if (index === null) continue;
        // struct arp4_key, struct ndp6_key: address in network order, interface index in the machine's.
        const both = Uint8Array.of(...key, ...word(index));
        answered.set(`${formatIpAddress(address)} ${index}`, { family, key: both, value: 1 });
      }
    }
    const previous = this.#addresses;
    for (const [name, { family, key, value }] of addresses) {
      if (previous.get(name)?.value !== value) this.#maps[family].owned.update(key, word(value));
    }
    for (const [name, { family, key }] of answered) {
      if (!this.#answered.has(name)) this.#maps[family].answered.update(key, Uint8Array.of(1));
    }
    for (const [name, { family, key }] of this.#answered) {
      if (!answered.has(name)) this.#maps[family].answered.delete(key);
    }
    for (const [name, { family, key }] of previous) {
      if (!addresses.has(name)) this.#maps[family].owned.delete(key);
    }
    this.#addresses = addresses;
    this.#answered = answered;
  }
}

/** Four bytes for IPv4, sixteen for IPv6. */
function networkOrder(address: IpAddress): Uint8Array {
  const bytes = encodeAddress(address);
  return address.family === 4 ? bytes.slice(12) : bytes;
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
