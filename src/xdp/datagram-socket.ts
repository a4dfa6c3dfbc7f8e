/**
 * UDP without events. Reading does not block, and nobody is told when a datagram is there: whoever listens looks now and
 * then, and takes all that have come meanwhile. To wake a thread costs ten times as much as a small datagram
 * (`npm run bench -- l2`). Those that can't wait the kernel sorts out, to a socket of Node's with events.
 */
import { createSocket, type Socket } from "node:dgram";
import type { IpAddress } from "../net/ip-address.ts";
import { encodeAddress } from "./door-maps.ts";
import { type NativeDatagramSocket, native } from "./native.ts";

const IPV4_OCTETS = 4;
const IPV6_OCTETS = 16;
/** Datagrams that the addon takes by one call of its, and that a caller gets by one of his. */
const BATCH = 64;
/** What `receive` has room for. */
export const DATAGRAMS_AT_ONCE = 4 * BATCH;

export class DatagramSocket {
  readonly #native: NativeDatagramSocket;
  readonly #longest: number;
  readonly #isIpv4: boolean;
  /** Those that were taken last, each at a multiple of the longest, how long and how old each is. */
  readonly taken: { readonly octets: Uint8Array; readonly lengths: Int32Array; readonly ages: Float64Array };
  /** The same, a batch at a time. */
  readonly #batches: readonly (readonly [octets: Uint8Array, lengths: Int32Array, ages: Float64Array])[];

  /**
   * @param address its own; it speaks that family only.
   * @param longest octets of a datagram; what is longer is cut.
   * @throws a `NativeError`: `EADDRINUSE` where the port is taken, `EAFNOSUPPORT` without the family.
   */
  constructor(address: IpAddress, port: number, longest: number) {
    this.#isIpv4 = address.family === 4;
    this.#native = new native.DatagramSocket(addressOctets(address), port);
    this.#longest = longest;
    const octets = new Uint8Array(DATAGRAMS_AT_ONCE * longest);
    const [lengths, ages] = [new Int32Array(DATAGRAMS_AT_ONCE), new Float64Array(DATAGRAMS_AT_ONCE)];
    this.taken = { octets, lengths, ages };
    this.#batches = Array.from({ length: DATAGRAMS_AT_ONCE / BATCH }, (_, index) => {
      const [begin, end] = [index * BATCH, (index + 1) * BATCH];
      const batch = octets.subarray(begin * longest, end * longest);
      return [batch, lengths.subarray(begin, end), ages.subarray(begin, end)];
    });
  }

  /** A socket that gets those datagrams which have a bit of the mask in the octet at the offset; the others come here. */
  divert(offset: number, mask: number): Socket {
    const socket = createSocket(this.#isIpv4 ? "udp4" : "udp6");
    return socket.bind({ fd: this.#native.divert(offset, mask), exclusive: true });
  }

  /** @param addresses of its family, as `addressOctets` gives them. @returns to how many of them it can't be sent now. */
  send(datagram: Uint8Array, addresses: readonly Uint8Array[], port: number): number {
    const octets = this.#isIpv4 ? IPV4_OCTETS : IPV6_OCTETS;
    const to = new Uint8Array(addresses.length * octets);
    for (const [index, address] of addresses.entries()) {
      if (address.length !== octets) throw new RangeError("the address is of another family than the socket");
      to.set(address, index * octets);
    }
    return this.#native.send(datagram, to, port);
  }

  /**
   * Takes what has come, as far as there is room for it.
   * @returns how many there are now, the oldest first: 0 to `DATAGRAMS_AT_ONCE`.
   */
  receive(): number {
    let count = 0;
    for (const [octets, lengths, ages] of this.#batches) {
      const taken = this.#native.receive(octets, lengths, ages);
      count += taken;
      if (taken < BATCH) break;
    }
    return count;
  }

  /** One of those that were taken last, good until more are. */
  datagram(index: number): Uint8Array {
    const at = index * this.#longest;
    return this.taken.octets.subarray(at, at + this.taken.lengths[index]!);
  }

  /**
   * Milliseconds from the moment when one of them had come to the one when it was taken. By the wall clock: whoever knows when
   * he has looked before knows better than a clock that was set meanwhile.
   */
  age(index: number): number {
    return this.taken.ages[index]!;
  }

  close(): void {
    this.#native.close();
  }
}

/** An address as a socket of its family takes it: 4 or 16 octets in network order. */
export function addressOctets(address: IpAddress): Uint8Array {
  return encodeAddress(address).subarray(address.family === 4 ? IPV6_OCTETS - IPV4_OCTETS : 0);
}
