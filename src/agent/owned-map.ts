/** The BPF maps by which the XDP program knows which addresses are ours: written by difference, never emptied. */
import type { OwnedAddress } from "../dataplane/forwarding-spec.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { BpfMap } from "../xdp/bpf-map.ts";

/** Flags of `owned4` in native/bpf/maps.h. */
const OWNED_SERVE = 1 << 0;
const OWNED_ARP_ALL = 1 << 1;

export class OwnedMap {
  readonly #owned4: BpfMap;
  readonly #arp4: BpfMap;
  #addresses = new Map<Ipv4, number>();
  #arp = new Set<string>();

  constructor(owned4: BpfMap, arp4: BpfMap) {
    this.#owned4 = owned4;
    this.#arp4 = arp4;
  }

  /** @param interfaceIndex of an interface that ARP is to be answered on; `null` when it is no port. */
  apply(owned: readonly OwnedAddress[], interfaceIndex: (name: string) => number | null): void {
    const addresses = new Map<Ipv4, number>();
    const arp = new Set<string>();
    for (const { address, arpInterfaces } of owned) {
      addresses.set(address, OWNED_SERVE | (arpInterfaces === "all" ? OWNED_ARP_ALL : 0));
      if (arpInterfaces === "all") continue;
      for (const name of arpInterfaces) {
        const index = interfaceIndex(name);
        if (index !== null) arp.add(`${address} ${index}`);
      }
    }
    for (const [address, flags] of addresses) {
      if (this.#addresses.get(address) !== flags) this.#owned4.update(addressKey(address), word(flags));
    }
    for (const key of arp) if (!this.#arp.has(key)) this.#arp4.update(arpKey(key), Uint8Array.of(1));
    for (const key of this.#arp) if (!arp.has(key)) this.#arp4.delete(arpKey(key));
    for (const address of this.#addresses.keys()) {
      if (!addresses.has(address)) this.#owned4.delete(addressKey(address));
    }
    this.#addresses = addresses;
    this.#arp = arp;
  }
}

/** Network order. */
function addressKey(address: Ipv4): Uint8Array {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, address);
  return key;
}

/** struct arp4_key: address in network order, interface index in the machine's. */
function arpKey(text: string): Uint8Array {
  const [address, index] = text.split(" ").map(Number) as [Ipv4, number];
  return Uint8Array.of(...addressKey(address), ...word(index));
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
