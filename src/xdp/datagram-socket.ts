/**
 * UDP without events. Reading does not block, and nobody is told when a datagram is there: whoever listens looks now and
 * then, and takes all that have come meanwhile. To wake a thread costs ten times as much as a small datagram
 * (`npm run bench -- l2`). Those that can't wait the kernel sorts out, to a socket of Node's with events.
 */
import { createSocket, type Socket } from "node:dgram";
import type { IpAddress } from "../net/ip-address.ts";
import { encodeAddress } from "./door-maps.ts";
import { type NativeDatagramSocket, native } from "./native.ts";

export class DatagramSocket {
  readonly #native: NativeDatagramSocket;
  readonly #datagram: Uint8Array;
  readonly #isIpv4: boolean;

  /**
   * @param address its own; it speaks that family only.
   * @param longest octets of a datagram; what is longer is cut.
   * @throws a `NativeError`: `EADDRINUSE` where the port is taken, `EAFNOSUPPORT` without the family.
   */
  constructor(address: IpAddress, port: number, longest: number) {
    this.#isIpv4 = address.family === 4;
    this.#native = new native.DatagramSocket(addressOctets(address), port);
    this.#datagram = new Uint8Array(longest);
  }

  /** A socket that gets those datagrams which have a bit of the mask in the octet at the offset; the others come here. */
  divert(offset: number, mask: number): Socket {
    const socket = createSocket(this.#isIpv4 ? "udp4" : "udp6");
    return socket.bind({ fd: this.#native.divert(offset, mask), exclusive: true });
  }

  /** @param address as `addressOctets` gives it. @returns `false` when it can't be sent now. */
  send(datagram: Uint8Array, address: Uint8Array, port: number): boolean {
    return this.#native.send(datagram, address, port) === 0;
  }

  /** The next datagram, good until the next call, or `null`. */
  receive(): Uint8Array | null {
    const length = this.#native.receive(this.#datagram);
    return length < 0 ? null : this.#datagram.subarray(0, length);
  }

  close(): void {
    this.#native.close();
  }
}

/** An address as a socket of its family takes it: 4 or 16 octets in network order. */
export function addressOctets(address: IpAddress): Uint8Array {
  return encodeAddress(address).subarray(address.family === 4 ? 12 : 0);
}
