/** The BPF maps by which the XDP program knows which addresses are ours. */
import type { OwnedAddress } from "../dataplane/forwarding-spec.ts";
import { formatIpAddress, type IpAddress, type IpFamily } from "../net/ip-address.ts";
import type { BpfMap } from "../xdp/bpf-map.ts";
import { encodeAddress } from "../xdp/door-maps.ts";
import { type MapEntry, MapMirror, PRESENT } from "./map-mirror.ts";

/** Flags of `owned4` and `owned6` in native/bpf/maps.h. */
const OWNED_SERVE = 1 << 0;
const OWNED_RESOLVE_ALL = 1 << 1;

/** The maps of one family: owned addresses, and those that are answered for on single interfaces. */
export interface FamilyMaps {
  readonly owned: BpfMap;
  readonly answered: BpfMap;
}

export class OwnedMap {
  readonly #owned: readonly { readonly family: IpFamily; readonly owned: MapMirror; readonly answered: MapMirror }[];

  constructor(maps: Readonly<Record<IpFamily, FamilyMaps>>) {
    this.#owned = ([4, 6] as const).map((family) => ({
      family,
      owned: new MapMirror(maps[family].owned),
      answered: new MapMirror(maps[family].answered),
    }));
  }

  /** @param interfaceIndex of an interface that is answered on; `null` when it is no port. */
  apply(addresses: readonly OwnedAddress[], interfaceIndex: (name: string) => number | null): void {
    for (const { family, owned, answered } of this.#owned) {
      const ofFamily = addresses.filter(({ address }) => address.family === family);
      owned.apply(new Map(ofFamily.map((own) => [formatIpAddress(own.address), servedEntry(own)])));
      answered.apply(new Map(ofFamily.flatMap((own) => answeredEntries(own, interfaceIndex))));
    }
  }
}

function servedEntry({ address, answerOn }: OwnedAddress): MapEntry {
  const value = OWNED_SERVE | (answerOn === "all" ? OWNED_RESOLVE_ALL : 0);
  return { key: networkOrder(address), value: word(value) };
}

/** struct arp4_key, struct ndp6_key: address in network order, interface index in the machine's. */
function answeredEntries(
  { address, answerOn }: OwnedAddress,
  interfaceIndex: (name: string) => number | null,
): [string, MapEntry][] {
  if (answerOn === "all") return [];
  return answerOn.flatMap((name): [string, MapEntry][] => {
    const index = interfaceIndex(name);
    if (index === null) return [];
    const key = Uint8Array.of(...networkOrder(address), ...word(index));
    return [[`${formatIpAddress(address)} ${index}`, { key, value: PRESENT }]];
  });
}

/** Four bytes for IPv4, sixteen for IPv6. */
function networkOrder(address: IpAddress): Uint8Array {
  const bytes = encodeAddress(address);
  return address.family === 4 ? bytes.slice(12) : bytes;
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
