/**
 * The BPF maps by which the XDP program knows which addresses are ours. For which of them ARP and NDP are answered on
 * single interfaces is written by the announcer.
 */
import type { OwnedAddress } from "../dataplane/forwarding-spec.ts";
import { formatIpAddress, type IpAddress, type IpFamily } from "../net/ip-address.ts";
import type { BpfMap } from "../xdp/bpf-map.ts";
import { encodeAddress } from "../xdp/door-maps.ts";
import { type MapEntry, MapMirror } from "./map-mirror.ts";

/** Flags of `owned4` and `owned6` in native/bpf/maps.h. */
const OWNED_SERVE = 1 << 0;
const OWNED_RESOLVE_ALL = 1 << 1;

export class OwnedMap {
  readonly #maps: readonly { readonly family: IpFamily; readonly owned: MapMirror }[];

  constructor(maps: Readonly<Record<IpFamily, BpfMap>>) {
    this.#maps = ([4, 6] as const).map((family) => ({ family, owned: new MapMirror(maps[family]) }));
  }

  apply(addresses: readonly OwnedAddress[]): void {
    for (const { family, owned } of this.#maps) {
      const ofFamily = addresses.filter(({ address }) => address.family === family);
      owned.apply(new Map(ofFamily.map((own) => [formatIpAddress(own.address), servedEntry(own)])));
    }
  }
}

function servedEntry({ address, answerOn }: OwnedAddress): MapEntry {
  const value = OWNED_SERVE | (answerOn === "all" ? OWNED_RESOLVE_ALL : 0);
  return { key: networkOrder(address), value: word(value) };
}

/** Four bytes for IPv4, sixteen for IPv6. */
function networkOrder(address: IpAddress): Uint8Array {
  const bytes = encodeAddress(address);
  return address.family === 4 ? bytes.slice(12) : bytes;
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
