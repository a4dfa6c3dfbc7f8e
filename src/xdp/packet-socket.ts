/**
 * Frames of one interface through the kernel's own door (packet(7)), beside the AF_XDP sockets: it sends anything, and
 * hears ARP, or Neighbor Advertisements, as far as the door of the datapath passes them on.
 *
 * Reading does not block, and nobody is told when a frame is there: whoever listens looks now and then.
 */
import { type NativePacketSocket, native } from "./native.ts";

/** ARP and NDP are far shorter; what is longer is cut. */
const LONGEST_FRAME = 256;

export class PacketSocket {
  readonly #native: NativePacketSocket;
  readonly #frame = new Uint8Array(LONGEST_FRAME);

  constructor(interfaceName: string, hears: "arp" | "ndp") {
    this.#native = new native.PacketSocket(interfaceName, hears);
  }

  /** Readable while a frame is there. */
  get fd(): number {
    return this.#native.fd();
  }

  /** `false` when the link can't take it now. */
  send(frame: Uint8Array): boolean {
    return this.#native.send(frame) === 0;
  }

  /** The next frame, good until the next call, or `null`. */
  receive(): Uint8Array | null {
    const length = this.#native.receive(this.#frame);
    return length === 0 ? null : this.#frame.subarray(0, length);
  }

  close(): void {
    this.#native.close();
  }
}
