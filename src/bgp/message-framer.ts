/**
 * A TCP stream cut into BGP messages.
 *
 * Owns the octets of at most one incomplete message: a peer cannot make it hold more than one message's length. After a
 * header fault the stream has no more message borders, so nothing further comes out.
 */
import { Fault } from "./fault.ts";
import { HEADER_BYTES, type WireSession } from "./message.ts";
import { decodeHeader } from "./message-codec.ts";

const NO_OCTETS = new Uint8Array(0);

export class MessageFramer {
  #rest: Uint8Array = NO_OCTETS;
  #broken = false;

  /**
   * Takes what arrived and hands each whole message to `take`, in order, then a header fault if there is one. `session` is
   * asked anew for each message, since an OPEN changes it; `take` answers false to stop (the connection is over).
   */
  push(chunk: Uint8Array, session: () => WireSession, take: (message: Uint8Array | Fault) => boolean): void {
    if (this.#broken) return;
    const bytes = this.#rest.length === 0 ? chunk : joined(this.#rest, chunk);
    this.#rest = NO_OCTETS;
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = decodeHeader(bytes, at, session());
      if (length instanceof Fault) {
        this.#broken = true;
        take(length);
        return;
      }
      if (bytes.length - at < length) break;
      const message = bytes.subarray(at, at + length);
      at += length;
      if (!take(message)) {
        this.#broken = true;
        return;
      }
    }
    if (at < bytes.length) this.#rest = bytes.slice(at);
  }
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}
