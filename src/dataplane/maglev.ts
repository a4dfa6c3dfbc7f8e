/**
 * Maglev hashing: D. E. Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016) §3.4,
 * with weights as turns: a backend of weight w takes w turns for each turn of one of weight 1.
 *
 * Each backend's preference list comes from a keyed hash of its address, never from its place in the list, so that every
 * node of a cluster builds the same table whatever order it learned the backends in. The port has no part in it: the
 * ports of one Service then have the same table, and a client with affinity meets the same pod on each of them.
 */

import { compareIpAddress, type IpAddress } from "../net/ip-address.ts";
import { storeAddress } from "../wire/raw.ts";
import { flowHash6, type HashKey } from "./flow-hash.ts";
import { KEY_SOURCE, newFlowKey } from "./flow-key.ts";

export interface MaglevBackend {
  readonly address: IpAddress;
  readonly port: number;
  readonly weight: number;
}

/** Domain separation: the two hashes of a backend must differ from each other and from every flow's. */
const OFFSET_DOMAIN = 254;
const SKIP_DOMAIN = 255;

/**
 * Fills `table` (its length is a prime) with indices into `backends`. Backends of weight 0 get no slot.
 * With no weighted backend, the table is left alone and `false` is given back.
 */
export function fillMaglev(table: Uint16Array, backends: readonly MaglevBackend[], key: HashKey): boolean {
  const size = table.length;
  const members = backends
    .map((backend, index) => ({ backend, index }))
    .filter(({ backend }) => backend.weight > 0)
    .sort((a, b) => compareIpAddress(a.backend.address, b.backend.address) || a.backend.port - b.backend.port);
  if (members.length === 0) return false;

  const position = new Int32Array(members.length);
  const skip = new Int32Array(members.length);
  const turns = new Float64Array(members.length);
  let heaviest = 0;
  members.forEach(({ backend }, member) => {
    position[member] = backendHash(backend, OFFSET_DOMAIN, key) % size;
    skip[member] = (backendHash(backend, SKIP_DOMAIN, key) % (size - 1)) + 1;
    heaviest = Math.max(heaviest, backend.weight);
  });

  const taken = new Uint8Array(size);
  let filled = 0;
  // Each pass gives every backend weight/heaviest of a turn; a whole turn buys its next preferred free slot.
  for (;;) {
    for (let member = 0; member < members.length; member++) {
      turns[member]! += members[member]!.backend.weight / heaviest;
      if (turns[member]! < 1 - 1e-9) continue;
      turns[member]! -= 1;
      // A skip is less than the size, so a subtraction wraps; a division here would make this ten times slower.
      const step = skip[member]!;
      let slot = position[member]!;
      while (taken[slot] === 1) {
        slot += step;
        if (slot >= size) slot -= size;
      }
      position[member] = slot + step >= size ? slot + step - size : slot + step;
      taken[slot] = 1;
      table[slot] = members[member]!.index;
      if (++filled === size) return true;
    }
  }
}

function backendHash(backend: MaglevBackend, domain: number, key: HashKey): number {
  const words = newFlowKey();
  storeAddress(words, KEY_SOURCE, backend.address);
  return flowHash6(key.k0, key.k1, words, 0, domain) >>> 0;
}
