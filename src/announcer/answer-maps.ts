/** Which address is answered for on which interface: the maps by which the door knows, written by this room alone. */
import { formatIpAddress, parseIpAddress } from "../net/ip-address.ts";
import { BpfMap } from "../xdp/bpf-map.ts";
import { encodeAnswerKey } from "../xdp/door-maps.ts";

export class AnswerMaps {
  readonly #maps: Readonly<Record<4 | 6, BpfMap>>;
  /** Interface indexes by address. */
  readonly #answered = new Map<string, readonly number[]>();

  constructor(arpMapFd: number, ndpMapFd: number) {
    this.#maps = { 4: BpfMap.fromFd(arpMapFd), 6: BpfMap.fromFd(ndpMapFd) };
    // What a thread before this one left is nobody's.
    for (const map of [this.#maps[4], this.#maps[6]]) for (const { key } of map.entries()) map.delete(key);
  }

  /** From now on exactly these interfaces answer; none ends it. */
  set(vip: string, interfaceIndexes: readonly number[]): void {
    const before = this.#answered.get(vip) ?? [];
    const address = parseIpAddress(vip)!;
    const map = this.#maps[address.family];
    for (const index of before) if (!interfaceIndexes.includes(index)) map.delete(encodeAnswerKey(address, index));
    // Written although they may be there: whatever lost them, this brings them back.
    for (const index of interfaceIndexes) map.update(encodeAnswerKey(address, index), PRESENT);
    if (interfaceIndexes.length === 0) this.#answered.delete(formatIpAddress(address));
    else this.#answered.set(formatIpAddress(address), interfaceIndexes);
  }

  get(vip: string): readonly number[] {
    return this.#answered.get(vip) ?? [];
  }

  close(): void {
    for (const vip of [...this.#answered.keys()]) this.set(vip, []);
    this.#maps[4].close();
    this.#maps[6].close();
  }
}

const PRESENT = Uint8Array.of(1);
