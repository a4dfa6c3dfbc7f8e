/**
 * What the kernel knows of the network, kept current: interfaces, addresses, routes of the main table, neighbours.
 *
 * It subscribes first and reads the tables then, so no change falls between; a notification older than the tables sets a
 * row to an old state only until the newer one, which is behind it in the queue. When the queue overflows, everything is
 * read anew.
 *
 * Links, addresses and neighbours follow the notifications. Routes are read anew after any change: the kernel says
 * nothing of the IPv4 routes that go with an interface or an address.
 */
import { Socket } from "node:net";
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import { type NativeNetlinkMonitor, native } from "./native.ts";
import { dump } from "./netlink.ts";
import { type NetlinkMessage, NLMSG_OVERRUN, readMessages } from "./netlink-message.ts";
import {
  decodeAddress,
  decodeLink,
  decodeNeighbor,
  decodeRoute,
  type InterfaceAddress,
  type NetworkLink,
  type NetworkNeighbor,
  type NetworkRoute,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
} from "./rtnetlink.ts";

export interface NetworkSnapshot {
  readonly links: readonly NetworkLink[];
  readonly addresses: readonly InterfaceAddress[];
  readonly routes: readonly NetworkRoute[];
  readonly neighbors: readonly NetworkNeighbor[];
}

export type NetworkTable = keyof NetworkSnapshot;

/** RTNLGRP_ LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE. */
const GROUPS = [1, 3, 5, 7, 9, 11];

/**
 * Changes come in bursts (an interface going down is dozens): routes are read once for those this close together. A
 * large table that changes all the time takes at most a tenth of this thread.
 */
const ROUTES_DELAY_MILLISECONDS = 10;
const ROUTES_DELAY_PER_READING = 10;

export class NetworkMirror {
  #links = new Map<number, NetworkLink>();
  #addresses = new Map<string, InterfaceAddress>();
  #routes: NetworkRoute[] = [];
  #neighbors = new Map<string, NetworkNeighbor>();
  readonly #monitor: NativeNetlinkMonitor;
  readonly #stream: Socket;
  readonly #listeners = new Set<(changed: ReadonlySet<NetworkTable>) => void>();
  #rest = new Uint8Array(0);
  #routesTimer: NodeJS.Timeout | null = null;
  #readingMilliseconds = 0;

  constructor() {
    this.#monitor = new native.NetlinkMonitor(GROUPS);
    this.#stream = new Socket({ fd: this.#monitor.takeFd(), readable: true, writable: false });
    // A mirror alone does not keep the process alive.
    this.#stream.unref();
    this.#stream.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    this.#readAll();
  }

  snapshot(): NetworkSnapshot {
    return {
      links: [...this.#links.values()],
      addresses: [...this.#addresses.values()],
      routes: this.#routes,
      neighbors: [...this.#neighbors.values()],
    };
  }

  /** Whether a neighbour was written down by an administrator: nobody needs to ask for it. */
  isPermanent(interfaceIndex: number, address: IpAddress): boolean {
    return this.#neighbors.get(neighborKey({ interfaceIndex, address }))?.state === "permanent";
  }

  /** Calls back with the tables that changed, after they did. Returns how to stop that. */
  onChange(listener: (changed: ReadonlySet<NetworkTable>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    if (this.#routesTimer !== null) clearTimeout(this.#routesTimer);
    this.#listeners.clear();
    this.#stream.destroy();
    this.#monitor.close();
  }

  #readAll(): void {
    this.#links = new Map(dump(RTM_GETLINK, "list the interfaces", decodeLink).map((link) => [link.index, link]));
    this.#addresses = new Map(
      dump(RTM_GETADDR, "list the addresses", decodeAddress).map((address) => [addressKey(address), address]),
    );
    this.#neighbors = new Map(
      dump(RTM_GETNEIGH, "list the neighbours", decodeNeighbor).map((neighbor) => [neighborKey(neighbor), neighbor]),
    );
    this.#readRoutes();
  }

  #readRoutes(): void {
    const start = performance.now();
    this.#routes = dump(RTM_GETROUTE, "list the routes", decodeRoute);
    this.#readingMilliseconds = performance.now() - start;
  }

  #receive(chunk: Uint8Array): void {
    const bytes = new Uint8Array(this.#rest.length + chunk.length);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.length);
    const { messages, consumedBytes } = readMessages(bytes);
    this.#rest = bytes.slice(consumedBytes);
    const changed = new Set<NetworkTable>();
    for (const message of messages) this.#apply(message, changed);
    if (changed.has("routes")) {
      changed.delete("routes");
      const delay = Math.max(ROUTES_DELAY_MILLISECONDS, this.#readingMilliseconds * ROUTES_DELAY_PER_READING);
      this.#routesTimer ??= setTimeout(() => {
        this.#routesTimer = null;
        this.#readRoutes();
        this.#notify(new Set<NetworkTable>(["routes"]));
      }, delay).unref();
    }
    if (changed.size > 0) this.#notify(changed);
  }

  #apply(message: NetlinkMessage, changed: Set<NetworkTable>): void {
    switch (message.type) {
      case RTM_NEWLINK:
      case RTM_DELLINK: {
        const link = decodeLink(message);
        if (link === null) return;
        if (message.type === RTM_NEWLINK) this.#links.set(link.index, link);
        else this.#links.delete(link.index);
        changed.add("links").add("routes");
        return;
      }
      case RTM_NEWADDR:
      case RTM_DELADDR: {
        const address = decodeAddress(message);
        if (address === null) return;
        if (message.type === RTM_NEWADDR) this.#addresses.set(addressKey(address), address);
        else this.#addresses.delete(addressKey(address));
        changed.add("addresses").add("routes");
        return;
      }
      case RTM_NEWNEIGH:
      case RTM_DELNEIGH: {
        const neighbor = decodeNeighbor(message);
        if (neighbor === null) return;
        if (message.type === RTM_NEWNEIGH) this.#neighbors.set(neighborKey(neighbor), neighbor);
        else this.#neighbors.delete(neighborKey(neighbor));
        changed.add("neighbors");
        return;
      }
      case RTM_NEWROUTE:
      case RTM_DELROUTE:
        changed.add("routes");
        return;
      case NLMSG_OVERRUN:
        this.#readAll();
        for (const table of ["links", "addresses", "neighbors", "routes"] as const) changed.add(table);
        return;
    }
  }

  #notify(changed: ReadonlySet<NetworkTable>): void {
    for (const listener of this.#listeners) listener(changed);
  }
}

function addressKey({ interfaceIndex, address, prefixLength }: InterfaceAddress): string {
  return `${interfaceIndex} ${formatIpAddress(address)}/${prefixLength}`;
}

function neighborKey(neighbor: { interfaceIndex: number; address: IpAddress }): string {
  return `${neighbor.interfaceIndex} ${formatIpAddress(neighbor.address)}`;
}
