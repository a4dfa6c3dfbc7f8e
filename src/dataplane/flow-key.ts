/**
 * A flow key away from the hot path: ten words, both families alike, reused from frame to frame.
 *
 *   0..3 source   4..7 destination   8 ports   9 protocol       addresses as in wire/raw.ts
 */
import { copyAddress, swapPorts } from "../wire/raw.ts";

export const KEY_SOURCE = 0;
export const KEY_DESTINATION = 4;
export const KEY_PORTS = 8;
export const KEY_PROTOCOL = 9;
export const KEY_WORDS = 10;

export type FlowKey = Int32Array;

export function newFlowKey(): FlowKey {
  return new Int32Array(new ArrayBuffer(KEY_WORDS * 4));
}

/** Makes `into` the key of the other direction of `key`. They must be two arrays. */
export function reverseKey(into: FlowKey, key: FlowKey): void {
  copyAddress(into, KEY_SOURCE, key, KEY_DESTINATION);
  copyAddress(into, KEY_DESTINATION, key, KEY_SOURCE);
  into[KEY_PORTS] = swapPorts(key[KEY_PORTS]!);
  into[KEY_PROTOCOL] = key[KEY_PROTOCOL]!;
}
