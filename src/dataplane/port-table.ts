/**
 * The ports of a node: interfaces with AF_XDP sockets on their queues. A few words each in shared memory; the main
 * thread writes them (a MAC or MTU may change while traffic runs), the pipeline reads.
 *
 * A *wire* port is a NIC. A *stack* port is our veth into the node's own IP stack, the inside of a gateway whose pods are
 * local; it is paired with the wire port whose traffic it takes over: what came in by one leaves by the other.
 */
import type { IpAddress } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import { ADDRESS_WORDS, storeAddress } from "../wire/raw.ts";

export const MAX_PORTS = 16;
const WORDS = 16;

const PORT_KIND = 0;
const PORT_MAC_FIRST = 1;
const PORT_MAC_LAST = 2;
const PORT_MTU = 3;
const PORT_PAIR = 4;
const PORT_ADDRESS4 = 5;
const PORT_ADDRESS6 = PORT_ADDRESS4 + ADDRESS_WORDS;
const PORT_OUTER_TAG = PORT_ADDRESS6 + ADDRESS_WORDS;
const PORT_INNER_TAG = PORT_OUTER_TAG + 1;
const PORT_PLAIN_IPV4 = PORT_OUTER_TAG + 2;
/** Behind the ports: whether any of them has tags. */
const ANY_TAGGED = MAX_PORTS * WORDS;

const RAW_ETHERTYPE_IPV4 = 0x0008;
/** What no EtherType is. */
const NEVER = -1;

export const PORT_WIRE = 1;
export const PORT_STACK = 2;

interface PortSettings {
  readonly kind: typeof PORT_WIRE | typeof PORT_STACK;
  readonly mac: Mac;
  readonly mtu: number;
  /** The interface's own addresses, from which it sends ICMP errors; `null` for a family that it has none of. */
  readonly ipv4: IpAddress | null;
  readonly ipv6: IpAddress | null;
  /** The other half of a wire/stack pair, or `null`. */
  readonly pair: number | null;
  /** VLAN tags of its frames, the outer one first, at most two: wire/vlan.ts. None by default. */
  readonly tags?: readonly number[];
}

export class PortTable {
  readonly words: Int32Array;

  constructor(words: Int32Array = portTableMemory()) {
    this.words = words;
  }

  set(port: number, settings: PortSettings): void {
    const at = port * WORDS;
    const [first, last] = rawMac(settings.mac);
    this.words[at + PORT_MAC_FIRST] = first;
    this.words[at + PORT_MAC_LAST] = last;
    this.words[at + PORT_MTU] = settings.mtu;
    if (settings.ipv4 !== null) storeAddress(this.words, at + PORT_ADDRESS4, settings.ipv4);
    if (settings.ipv6 !== null) storeAddress(this.words, at + PORT_ADDRESS6, settings.ipv6);
    this.words[at + PORT_PAIR] = settings.pair ?? -1;
    const [outer = 0, inner = 0] = settings.tags ?? [];
    this.words[at + PORT_OUTER_TAG] = outer;
    this.words[at + PORT_INNER_TAG] = inner;
    this.words[at + PORT_PLAIN_IPV4] = outer === 0 ? RAW_ETHERTYPE_IPV4 : NEVER;
    if (outer !== 0) this.words[ANY_TAGGED] = 1;
    Atomics.store(this.words, at + PORT_KIND, settings.kind);
  }

  kind(port: number): number {
    return this.words[port * WORDS + PORT_KIND]!;
  }

  /** First four bytes of the MAC, raw. */
  macFirst(port: number): number {
    return this.words[port * WORDS + PORT_MAC_FIRST]!;
  }

  /** Last two bytes of the MAC, raw, 0..65535. */
  macLast(port: number): number {
    return this.words[port * WORDS + PORT_MAC_LAST]!;
  }

  /** Tags of a port's frames, raw; 0 for none. */
  outerTag(port: number): number {
    return this.words[port * WORDS + PORT_OUTER_TAG]!;
  }

  innerTag(port: number): number {
    return this.words[port * WORDS + PORT_INNER_TAG]!;
  }

  /** The raw EtherType of frames that are IPv4 without further look: of a tagged port no frame is. */
  plainIpv4(port: number): number {
    return this.words[port * WORDS + PORT_PLAIN_IPV4]!;
  }

  /** Whether any port has tags. */
  hasTags(): boolean {
    return this.words[ANY_TAGGED] !== 0;
  }

  mtu(port: number): number {
    return this.words[port * WORDS + PORT_MTU]!;
  }

  /** Where in `words` the port's own address of a family is: four words, zero when it has none. */
  addressAt(port: number, isIpv4: boolean): number {
    return port * WORDS + (isIpv4 ? PORT_ADDRESS4 : PORT_ADDRESS6);
  }

  /** The port that takes what came in by this one; -1 when it has no pair. */
  pair(port: number): number {
    return this.words[port * WORDS + PORT_PAIR]!;
  }
}

export function portTableMemory(): Int32Array {
  return new Int32Array(new SharedArrayBuffer((MAX_PORTS * WORDS + 1) * 4));
}

/** A MAC as it lies on the wire: first four bytes and last two, little-endian. */
export function rawMac(mac: Mac): [number, number] {
  const high = Math.floor(mac / 0x10000);
  const low = mac % 0x10000;
  return [
    ((high >>> 24) & 0xff) | ((high >>> 8) & 0xff00) | ((high & 0xff00) << 8) | (high << 24),
    ((low >>> 8) & 0xff) | ((low & 0xff) << 8),
  ];
}
