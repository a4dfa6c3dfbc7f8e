/**
 * What the kernel's program needs besides flows, ports and neighbours: to forward those of direct server return, the ends of
 * tunnels; to open flows itself, the forwarding table of the epoch in force, its Maglev tables, and the routes. An epoch is
 * a map of its own, which takes the last one's place at once; the kernel waits until no program works by that any more.
 */
import type { Fib } from "../dataplane/fib.ts";
import type { ForwardingColumns } from "../dataplane/forwarding-table.ts";
import type { AdoptedIds } from "../dataplane/id-registry.ts";
import { idsInKernelTable, KERNEL_ROW_WORDS, kernelTable } from "../dataplane/kernel-table.ts";
import { type MaglevColumns, maglevSlots } from "../dataplane/maglev-memory.ts";
import type { NeighborTable } from "../dataplane/neighbor-table.ts";
import { copyAddress } from "../wire/raw.ts";
import type { BpfObject } from "../xdp/bpf.ts";
import { BPF_F_INNER_MAP, BpfMap } from "../xdp/bpf-map.ts";
import { type MapEntry, MapMirror } from "./map-mirror.ts";

/** MAGLEV_CHUNKS and MAGLEV_CHUNK_ROWS of native/bpf/forwarding_table.h; a row has four slots. */
const MAGLEV_CHUNKS = 64;
const MAGLEV_CHUNK_ROWS = 1 << 17;
const MAGLEV_ROW_BYTES = 8;
/** ROUTE_ON_LINK of native/bpf/new_way.h. */
const ON_LINK = 0xfffffffe;
const FIRST = word(0);

export class KernelForwarding {
  readonly #pin: string | null;
  readonly #forwarding: BpfMap;
  readonly #maglev: BpfMap;
  /** With their slots: a mapping for each table would be ten thousand of them in a large cluster. */
  readonly #chunks = new Map<number, { readonly map: BpfMap; readonly slots: Uint16Array }>();
  /** `null` where it never opens flows. */
  readonly #routes: MapMirror | null;

  /**
   * @param opens whether it ever opens flows.
   * @param pin where the epoch in force is pinned for the next process; `null` for nowhere.
   */
  constructor(object: BpfObject, opens: boolean, pin: string | null = null) {
    this.#pin = pin;
    this.#forwarding = object.map("forwarding");
    this.#maglev = object.map("maglev");
    this.#routes = opens ? new MapMirror(object.map("routes")) : null;
  }

  /**
   * The ids by which a process that died has left the kernel opening flows. Where they can't be read, for its epoch is not
   * pinned, the kernel opens none until the next epoch: rows with ids that mean something else now would end wrongly.
   */
  idsLeft(): AdoptedIds[] {
    const map = this.#pin === null ? null : BpfMap.fromPin(this.#pin);
    if (map === null) {
      this.#forwarding.delete(FIRST);
      return [];
    }
    const ids = idsInKernelTable(map.mmap());
    map.close();
    return ids;
  }

  /** @param made the Maglev tables that are new or other than at the last call. */
  publish(columns: ForwardingColumns, made: readonly number[]): void {
    if (this.#routes !== null) for (const place of made) this.#copyTable(columns.maglev, place);
    const words = kernelTable(columns, this.#routes !== null ? MAGLEV_CHUNKS * columns.maglev.tablesPerChunk : null);
    const map = BpfMap.createArray("epoch", KERNEL_ROW_WORDS * 4, words.length / KERNEL_ROW_WORDS, BPF_F_INNER_MAP);
    map.mmap().set(words);
    // First, so that the ids which the kernel works by are never unknown to the next process.
    if (this.#pin !== null) map.pin(this.#pin);
    this.#forwarding.update(FIRST, word(map.fd));
    map.close();
  }

  /** Follows the routes; a gateway has a row among the neighbours then, resolved or not. */
  route(fib: Fib, neighbors: NeighborTable): void {
    this.#routes?.apply(new Map(fib.entries().map((entry) => [String(entry), routeEntry(fib, entry, neighbors)])));
  }

  close(): void {
    for (const { map } of this.#chunks.values()) map.close();
  }

  #copyTable(maglev: MaglevColumns, place: number): void {
    const number = Math.floor(place / maglev.tablesPerChunk);
    if (number >= MAGLEV_CHUNKS) return;
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      const map = BpfMap.createArray("maglev", MAGLEV_ROW_BYTES, MAGLEV_CHUNK_ROWS);
      const { buffer, byteOffset } = map.mmap();
      chunk = { map, slots: new Uint16Array(buffer, byteOffset, MAGLEV_CHUNK_ROWS * 4) };
      this.#maglev.update(word(number), word(map.fd));
      this.#chunks.set(number, chunk);
    }
    const first = (place % maglev.tablesPerChunk) * maglev.tableSize;
    chunk.slots.set(maglevSlots(maglev, place), first);
  }
}

/** struct prefix_key and struct route. */
function routeEntry(fib: Fib, entry: number, neighbors: NeighborTable): MapEntry {
  const key = new Int32Array(5);
  key[0] = fib.lengthBits(entry);
  copyAddress(key, 1, fib.words, entry);
  const port = fib.port(entry);
  const gateway = fib.hasGateway(entry)
    ? neighbors.want(fib.words.subarray(fib.gatewayAt(entry), fib.gatewayAt(entry) + 4), port)
    : ON_LINK;
  const value = Uint32Array.of(port, gateway, fib.lengthBits(entry));
  return { key: new Uint8Array(key.buffer), value: new Uint8Array(value.buffer) };
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
