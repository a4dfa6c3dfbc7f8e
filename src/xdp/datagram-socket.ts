/**
 * UDP without events. Reading does not block, and nobody is told when a datagram is there: whoever listens looks now and
 * then, and takes all that have come meanwhile: to wake a thread for each small datagram would cost more than to read it.
 * Those that can't wait the kernel sorts out, to a socket of Node's with events.
 */
import { createSocket, type Socket } from "node:dgram";
import type { IpAddress } from "../net/ip-address.ts";
import { encodeAddress } from "./door-maps.ts";
import { type NativeDatagramSocket, native } from "./native.ts";

const IPV4_OCTETS = 4;
const IPV6_OCTETS = 16;
/** What `receive` has room for. */
export const DATAGRAMS_AT_ONCE = 256;

export class DatagramSocket {
  /** The addon's. */
  readonly handle: NativeDatagramSocket;
  /** Those that were taken last, each at a multiple of the longest, how long and how old each is. */
  readonly taken: { readonly octets: Uint8Array; readonly lengths: Int32Array; readonly ages: Float64Array };
  readonly family: 4 | 6;
  readonly #longest: number;

  /**
   * @param address its own; it speaks that family only.
   * @param longest octets of a datagram; what is longer is cut.
   * @throws a `NativeError`: `EADDRINUSE` where the port is taken, `EAFNOSUPPORT` without the family.
   */
  constructor(address: IpAddress, port: number, longest: number) {
    this.family = address.family;
    this.handle = new native.DatagramSocket(addressOctets(address), port);
    this.#longest = longest;
    const octets = new Uint8Array(DATAGRAMS_AT_ONCE * longest);
    const [lengths, ages] = [new Int32Array(DATAGRAMS_AT_ONCE), new Float64Array(DATAGRAMS_AT_ONCE)];
    this.taken = { octets, lengths, ages };
  }

  /** A socket that gets those datagrams which have a bit of the mask in the octet at the offset; the others come here. */
  divert(offset: number, mask: number): Socket {
    const socket = createSocket(this.family === 4 ? "udp4" : "udp6");
    return socket.bind({ fd: this.handle.divert(offset, mask), exclusive: true });
  }

  /** @param addresses of its family, as `addressOctets` gives them. @returns to how many of them it can't be sent now. */
  send(datagram: Uint8Array, addresses: readonly Uint8Array[], port: number): number {
    return this.handle.send(datagram, this.joined(addresses), port);
  }

  /** As the addon takes them. */
  joined(addresses: readonly Uint8Array[]): Uint8Array {
    const octets = this.family === 4 ? IPV4_OCTETS : IPV6_OCTETS;
    const all = new Uint8Array(addresses.length * octets);
    for (const [index, address] of addresses.entries()) {
      if (address.length !== octets) throw new RangeError("the address is of another family than the socket");
      all.set(address, index * octets);
    }
    return all;
  }

  /**
   * Takes what has come, as far as there is room for it.
   * @returns how many there are now, the oldest first: 0 to `DATAGRAMS_AT_ONCE`.
   */
  receive(): number {
    return this.handle.receive(this.taken.octets, this.taken.lengths, this.taken.ages);
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
    this.handle.close();
  }
}

/** An address as a socket of its family takes it: 4 or 16 octets in network order. */
export function addressOctets(address: IpAddress): Uint8Array {
  return encodeAddress(address).subarray(address.family === 4 ? IPV6_OCTETS - IPV4_OCTETS : 0);
}
