/**
 * Speaking and listening on one interface: announcements, questions, and what others say about addresses. Frames carry
 * the tags of the port; what comes in has lost them.
 */
import { formatIpAddress, type IpAddress, toIpv4 } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import { gratuitousArp, unsolicitedAdvertisement } from "../wire/announcement.ts";
import { type AddressClaim, arpRequest, neighborSolicitation, readAddressClaim } from "../wire/resolution.ts";
import type { VlanTag } from "../xdp/door-maps.ts";
import { PacketSocket } from "../xdp/packet-socket.ts";
import type { AnnouncerPort } from "./announcer-message.ts";

/** Frames taken at one look: a flood of ARP must not keep the thread from its heartbeats. */
const MOST_FRAMES = 400;

export class LinkVoice {
  readonly port: AnnouncerPort;
  /** What the kernel says of the interface. */
  mac: Mac | null = null;
  carrier = false;
  addresses: readonly IpAddress[] = [];
  readonly #arp: PacketSocket;
  readonly #ndp: PacketSocket;

  constructor(port: AnnouncerPort) {
    this.port = port;
    this.#arp = new PacketSocket(port.name, "arp");
    this.#ndp = new PacketSocket(port.name, "ndp");
  }

  get descriptors(): readonly number[] {
    return [this.#arp.fd, this.#ndp.fd];
  }

  /** Tells everybody that the address is at our MAC. @returns frames sent. */
  announce(address: IpAddress): number {
    if (this.mac === null) return 0;
    const ipv4 = toIpv4(address);
    if (ipv4 === null) return this.#send(unsolicitedAdvertisement(address, this.mac));
    return this.#send(gratuitousArp(ipv4, this.mac, "request")) + this.#send(gratuitousArp(ipv4, this.mac, "reply"));
  }

  /**
   * Asks who has an address.
   *
   * @param as the address for which the asker speaks, which the asked one then notes at our MAC; `null` takes one of the
   * interface's own.
   */
  ask(target: IpAddress, as: IpAddress | null): number {
    if (this.mac === null) return 0;
    const own = as ?? this.#ownAddress(target.family);
    if (target.family === 4) return this.#send(arpRequest(target, own, this.mac));
    return own === null ? 0 : this.#send(neighborSolicitation(target, own, this.mac));
  }

  listen(take: (claim: AddressClaim) => void): void {
    for (const socket of [this.#arp, this.#ndp]) {
      for (let count = 0; count < MOST_FRAMES; count++) {
        const frame = socket.receive();
        if (frame === null) break;
        const claim = readAddressClaim(frame);
        if (claim !== null && claim.mac !== this.mac) take(claim);
      }
    }
  }

  close(): void {
    this.#arp.close();
    this.#ndp.close();
  }

  /** A link-local address is good for questions; one of the subnet is what IPv4's need. */
  #ownAddress(family: 4 | 6): IpAddress | null {
    const own = this.addresses.filter((address) => address.family === family);
    return own.find((address) => formatIpAddress(address).startsWith("fe80:")) ?? own[0] ?? null;
  }

  #send(frame: Uint8Array): number {
    return this.#arp.send(tagged(frame, this.port.vlan)) ? 1 : 0;
  }
}

/** The frame with 802.1Q tags behind its MACs. */
function tagged(frame: Uint8Array, tags: readonly VlanTag[]): Uint8Array {
  if (tags.length === 0) return frame;
  const whole = new Uint8Array(frame.length + 4 * tags.length);
  whole.set(frame.subarray(0, 12));
  const view = new DataView(whole.buffer);
  tags.forEach(({ protocol, id }, index) => {
    view.setUint16(12 + 4 * index, protocol);
    view.setUint16(14 + 4 * index, id);
  });
  whole.set(frame.subarray(12), 12 + 4 * tags.length);
  return whole;
}
