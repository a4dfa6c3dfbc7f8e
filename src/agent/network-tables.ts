/**
 * Keeps the datapath's ports, FIB and neighbours as the kernel has them. The kernel stays the one that knows: it
 * resolves neighbours, routers' daemons write its routes, and this mirrors both into the shared tables.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Fib, NO_ROUTE, type Route } from "../dataplane/fib.ts";
import type { VipSpec } from "../dataplane/forwarding-spec.ts";
import { Handoffs } from "../dataplane/handoffs.ts";
import { NeighborRequests } from "../dataplane/neighbor-requests.ts";
import { type NeighborTable, STACK_NEIGHBOR } from "../dataplane/neighbor-table.ts";
import { PORT_STACK, PORT_WIRE, type PortTable } from "../dataplane/port-table.ts";
import { addressBits, formatIpAddress, type IpAddress, type IpFamily } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import { ADDRESS_WORDS, loadAddress, sameAddress, storeAddress } from "../wire/raw.ts";
import type { VlanTag } from "../xdp/door-maps.ts";
import { resolveNeighbor } from "../xdp/netlink.ts";
import { NetworkMirror, type NetworkSnapshot } from "../xdp/network-mirror.ts";
import { isUsable, type NetworkLink, type NetworkRoute } from "../xdp/rtnetlink.ts";
import { STACK_ADDRESSES } from "./stack-inside.ts";
import { rawTags } from "./vlan-option.ts";

/** A port as it was set up: its id is its place in the list. */
export interface Port {
  readonly name: string;
  readonly interfaceIndex: number;
  /** VLAN tags of its frames. */
  readonly tags: readonly VlanTag[];
  /** The kernel's own interface in that VLAN, whose addresses, routes and neighbours are the port's; or `null`. */
  readonly vlanInterfaceIndex: number | null;
  readonly kind: "uplink" | "inside" | "stack";
  /** Id of the other half of an uplink/stack pair. */
  readonly pair: number | null;
}

/** Workers' requests are served as they come, but no more often than this: each frame of a scan may be one. */
const REQUEST_MILLISECONDS = 20;
/** A neighbour that doesn't answer is asked for again at this pace, as long as frames need it. */
const ASK_AGAIN_MILLISECONDS = 500;
/** The kernel does not see our traffic, so next hops in use are kept fresh by asking now and then. */
const REFRESH_MILLISECONDS = 10_000;

interface NextHop {
  readonly key: string;
  readonly address: IpAddress;
  readonly port: number;
}

export class NetworkTables {
  readonly ports: PortTable;
  readonly neighbors: NeighborTable;
  readonly neighborRequests = new NeighborRequests();
  readonly handoffs = new Handoffs();
  fib: Fib = Fib.build([]);
  readonly #list: readonly Port[];
  readonly #mirror: NetworkMirror;
  readonly #refreshing: NodeJS.Timeout;
  #closed = false;
  readonly #words = new Int32Array(ADDRESS_WORDS);
  #known = new Map<string, NextHop>();
  #nextHops = new Map<string, NextHop>();
  #hopsOf: { readonly fib: Fib; readonly byVip: WeakMap<VipSpec, readonly NextHop[]> } = {
    fib: this.fib,
    byVip: new WeakMap(),
  };

  /**
   * @param tables that are kept, in the memory that the workers and the BPF programs read.
   * @param onFib called after the FIB was replaced.
   */
  constructor(
    ports: readonly Port[],
    tables: { readonly ports: PortTable; readonly neighbors: NeighborTable },
    onFib: (fib: Fib) => void,
  ) {
    this.#list = ports;
    this.ports = tables.ports;
    this.neighbors = tables.neighbors;
    this.#mirror = new NetworkMirror();
    // Those of a process that died: what the kernel no longer has of them is marked so at once.
    this.#known = new Map(this.neighbors.valid().flatMap((index) => this.#nextHopAt(index)));
    this.#update(this.#mirror.snapshot(), true);
    this.#mirror.onChange((changed) => {
      this.#update(this.#mirror.snapshot(), changed.has("routes"));
      if (changed.has("routes")) onFib(this.fib);
    });
    this.#refreshing = setInterval(() => this.#refresh(), REFRESH_MILLISECONDS).unref();
    void this.#serveRequests();
  }

  /** Makes sure that the next hops towards backends are resolved before the first frame needs them. */
  prepare(vips: readonly VipSpec[]): void {
    // Most VIPs are what they were; with 100,000 backends only the others can be looked at.
    const hops = this.#hopsOf.fib === this.fib ? this.#hopsOf.byVip : new WeakMap<VipSpec, readonly NextHop[]>();
    this.#hopsOf = { fib: this.fib, byVip: hops };
    const before = this.#nextHops;
    this.#nextHops = new Map(
      this.#gateways()
        .flatMap((gateway) => this.#nextHop(gateway))
        .map((hop) => [hop.key, hop]),
    );
    const asked: NextHop[] = [...this.#nextHops.values()];
    for (const vip of vips) {
      let own = hops.get(vip);
      if (own === undefined) {
        own = distinctHops(
          vip.backends
            .flatMap(({ address, node }) => [address, ...(node ? [node] : [])])
            .flatMap((address) => this.#nextHop(address)),
        );
        hops.set(vip, own);
        asked.push(...own);
      }
      for (const hop of own) this.#nextHops.set(hop.key, hop);
    }
    for (const hop of asked) {
      this.neighbors.want(this.#wordsOf(hop.address), hop.port);
      if (!before.has(hop.key)) this.#ask(hop.address, hop.port);
    }
  }

  #nextHop(address: IpAddress): NextHop[] {
    const route = this.fib.lookup(this.#wordsOf(address), 0);
    if (route === NO_ROUTE) return [];
    const port = this.fib.port(route);
    const nextHop = this.fib.hasGateway(route) ? loadAddress(this.fib.words, this.fib.gatewayAt(route)) : address;
    return [{ key: keyOf(nextHop, port), address: nextHop, port }];
  }

  /** The node's own address on an uplink. */
  ownAddress(family: IpFamily): IpAddress | null {
    const uplink = this.#list.find(({ kind }) => kind === "uplink");
    return uplink === undefined ? null : firstAddress(this.#mirror.snapshot(), networkIndex(uplink), family);
  }

  close(): void {
    this.#closed = true;
    this.neighborRequests.wake();
    clearInterval(this.#refreshing);
    this.#mirror.close();
  }

  #update(snapshot: NetworkSnapshot, withRoutes: boolean): void {
    const links = new Map(snapshot.links.map((link) => [link.index, link]));
    this.#list.forEach((port, id) => {
      const link = links.get(port.interfaceIndex);
      if (link === undefined || link.mac === null) return;
      this.ports.set(id, {
        kind: port.kind === "stack" ? PORT_STACK : PORT_WIRE,
        mac: link.mac,
        mtu: link.mtu,
        ipv4: portAddress(snapshot, port, 4),
        ipv6: portAddress(snapshot, port, 6),
        pair: port.pair,
        tags: rawTags(port.tags),
      });
      if (port.kind === "stack") this.#setStackNeighbor(id, link, snapshot.links);
    });
    if (withRoutes) this.fib = Fib.build(this.#routes(snapshot));
    this.#updateNeighbors(snapshot, links);
  }

  /** What a stack port sends goes to the MAC at the other end of its veth pair. */
  #setStackNeighbor(port: number, inner: NetworkLink, links: readonly NetworkLink[]): void {
    const outer = links.find((link) => link.name === "sl0");
    if (outer?.mac && inner.mac !== null) this.neighbors.set(STACK_NEIGHBOR, port, outer.mac, inner.mac);
  }

  #updateNeighbors(snapshot: NetworkSnapshot, links: ReadonlyMap<number, NetworkLink>): void {
    const seen = new Map<string, NextHop>();
    for (const neighbor of snapshot.neighbors) {
      const port = this.#portOf(neighbor.interfaceIndex);
      const { address } = neighbor;
      const own: Mac | null | undefined = links.get(neighbor.interfaceIndex)?.mac;
      if (port < 0 || !own) continue;
      const key = keyOf(address, port);
      seen.set(key, { key, address, port });
      const index = this.neighbors.set(this.#wordsOf(address), port, isUsable(neighbor) ? neighbor.mac : null, own);
      if (index >= 0 && isUsable(neighbor)) this.neighbors.clearWanted(index);
    }
    for (const [key, { address, port }] of this.#known) {
      if (!seen.has(key)) this.neighbors.set(this.#wordsOf(address), port, null, 0 as Mac);
    }
    this.#known = seen;
  }

  #routes(snapshot: NetworkSnapshot): Route[] {
    const stack = this.#list.findIndex(({ kind }) => kind === "stack");
    // The node's own addresses, of pods in the host's network, lie behind the stack, whatever subnet they are in.
    const own = snapshot.addresses.map(({ address }) => ({ address, prefixLength: addressBits(address.family) }));
    const ownRoutes = own.map(({ address, prefixLength }): Route => {
      return { destination: address, prefixLength, gateway: null, port: stack };
    });
    const routes = snapshot.routes
      .filter((route) => route.type === "unicast" && !isLocalRoute(route))
      .toSorted((a, b) => a.metric - b.metric)
      .flatMap(({ destination, prefixLength, nextHops }): Route[] => {
        // Of a multipath route the first hop is taken: balancing over equal routers is theirs and the kernel's.
        const hop = nextHops.find(({ interfaceIndex }) => this.#portOf(interfaceIndex) >= 0);
        if (hop !== undefined) {
          return [{ destination, prefixLength, gateway: hop.gateway, port: this.#portOf(hop.interfaceIndex) }];
        }
        return stack < 0 ? [] : [{ destination, prefixLength, gateway: null, port: stack }];
      });
    return stack < 0 ? routes : [...ownRoutes, ...routes];
  }

  #gateways(): IpAddress[] {
    return this.#mirror.snapshot().routes.flatMap(({ nextHops }) => nextHops.flatMap(({ gateway }) => gateway ?? []));
  }

  async #serveRequests(): Promise<void> {
    for (let seen = 0; ; ) {
      await this.neighborRequests.next(seen);
      if (this.#closed) return;
      seen = this.neighborRequests.count;
      this.neighborRequests.drain((addressAt, port) => {
        const address = loadAddress(this.neighborRequests.words, addressAt);
        const index = this.neighbors.want(this.#wordsOf(address), port);
        this.#ask(address, port);
        if (index >= 0) setTimeout(() => this.neighbors.clearWanted(index), ASK_AGAIN_MILLISECONDS).unref();
      });
      await sleep(REQUEST_MILLISECONDS, undefined, { ref: false });
    }
  }

  #refresh(): void {
    for (const { address, port } of this.#nextHops.values()) this.#ask(address, port);
  }

  #ask(address: IpAddress, port: number): void {
    const entry = this.#list[port];
    if (entry === undefined || entry.kind === "stack") return;
    // Asked for, a permanent entry would become one that has to be resolved (NTF_USE, since Linux 5.16).
    if (this.#mirror.isPermanent(networkIndex(entry), address)) return;
    try {
      resolveNeighbor(networkIndex(entry), address);
    } catch {
      // The interface is down or gone; its routes go with it, and frames towards it are counted as unresolved.
    }
  }

  #nextHopAt(index: number): [string, NextHop][] {
    const at = this.neighbors.addressAt(index);
    const port = this.neighbors.port(index);
    if (sameAddress(this.neighbors.words, at, STACK_NEIGHBOR, 0)) return [];
    const address = loadAddress(this.neighbors.words, at);
    const key = keyOf(address, port);
    return [[key, { key, address, port }]];
  }

  /** The address as raw words, good until the next call. */
  #wordsOf(address: IpAddress): Int32Array {
    storeAddress(this.#words, 0, address);
    return this.#words;
  }

  #portOf(interfaceIndex: number): number {
    return this.#list.findIndex((port) => networkIndex(port) === interfaceIndex && port.kind !== "stack");
  }
}

/** The interface that the kernel has a port's network on. */
function networkIndex(port: Port): number {
  return port.vlanInterfaceIndex ?? port.interfaceIndex;
}

function keyOf(address: IpAddress, port: number): string {
  return `${formatIpAddress(address)} ${port}`;
}

/** From a stack port what its clients' requests and our errors come from is nobody's, and so comes back to us. */
function portAddress(snapshot: NetworkSnapshot, port: Port, family: IpFamily): IpAddress | null {
  return port.kind === "stack" ? STACK_ADDRESSES[family].inner : firstAddress(snapshot, networkIndex(port), family);
}

/** Our own routes to what we serve (local-routes.ts). */
function isLocalRoute({ nextHops }: NetworkRoute): boolean {
  const gateway = nextHops[0]?.gateway ?? null;
  return gateway !== null && gateway.value === STACK_ADDRESSES[gateway.family].inner.value;
}

/** An address that others can answer to: of IPv6 a global one before a link-local one. */
function firstAddress(snapshot: NetworkSnapshot, interfaceIndex: number, family: IpFamily): IpAddress | null {
  const own = snapshot.addresses
    .filter((entry) => entry.interfaceIndex === interfaceIndex && entry.address.family === family)
    .map(({ address }) => address);
  return own.find((address) => !isLinkLocal(address)) ?? own[0] ?? null;
}

/** fe80::/10. */
function isLinkLocal(address: IpAddress): boolean {
  return address.family === 6 && address.value >> 118n === 0x3fan;
}

function distinctHops(hops: readonly NextHop[]): readonly NextHop[] {
  return [...new Map(hops.map((hop) => [hop.key, hop])).values()];
}
