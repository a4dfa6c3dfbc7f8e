/**
 * Membership in the multicast groups by which others ask for our IPv6 addresses (RFC 4291 §2.7.1): without it a NIC or a
 * switch that snoops would not bring us the questions.
 */
import { createSocket, type Socket } from "node:dgram";
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import { solicitedNodeGroup } from "../wire/resolution.ts";

/** The kernel bounds the memberships of one socket by its option memory (net.core.optmem_max). */
const GROUPS_PER_SOCKET = 100;

export class SolicitedGroups {
  readonly #sockets: { readonly socket: Socket; groups: number }[] = [];
  /** By group and interface: addresses end alike, so several may share one. */
  readonly #members = new Map<string, { readonly socket: Socket; count: number }>();

  join(address: IpAddress, interfaceName: string): void {
    const { group, key, scope } = names(address, interfaceName);
    const known = this.#members.get(key);
    if (known !== undefined) {
      known.count++;
      return;
    }
    const place = this.#place();
    try {
      place.socket.addMembership(group, scope);
      place.groups++;
      this.#members.set(key, { socket: place.socket, count: 1 });
    } catch {
      // An interface without IPv6: there nobody asks for IPv6 addresses either.
    }
  }

  leave(address: IpAddress, interfaceName: string): void {
    const { group, key, scope } = names(address, interfaceName);
    const known = this.#members.get(key);
    if (known === undefined || --known.count > 0) return;
    this.#members.delete(key);
    const place = this.#sockets.find(({ socket }) => socket === known.socket);
    if (place !== undefined) place.groups--;
    try {
      known.socket.dropMembership(group, scope);
    } catch {
      // The interface is gone, and its memberships with it.
    }
  }

  close(): void {
    for (const { socket } of this.#sockets) socket.close();
    this.#members.clear();
  }

  #place(): { readonly socket: Socket; groups: number } {
    const free = this.#sockets.find(({ groups }) => groups < GROUPS_PER_SOCKET);
    if (free !== undefined) return free;
    const socket = createSocket({ type: "udp6", ipv6Only: true });
    socket.on("error", () => {});
    socket.unref();
    const place = { socket, groups: 0 };
    this.#sockets.push(place);
    return place;
  }
}

function names(address: IpAddress, interfaceName: string): { group: string; key: string; scope: string } {
  const group = formatIpAddress(solicitedNodeGroup(address));
  return { group, key: `${group} ${interfaceName}`, scope: `::%${interfaceName}` };
}
