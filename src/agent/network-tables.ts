/**
 * Keeps the datapath's ports, FIB and neighbours as the kernel has them. The kernel stays the one that knows: it
 * resolves neighbours, routers' daemons write its routes, and this mirrors both into the shared tables.
 */
import { Fib, type Route } from "../dataplane/fib.ts";
import { NeighborRequests } from "../dataplane/neighbor-requests.ts";
import { NeighborTable, neighborTableMemory } from "../dataplane/neighbor-table.ts";
import { PORT_STACK, PORT_WIRE, PortTable } from "../dataplane/port-table.ts";
import { type IpAddress, toIpv4 } from "../net/ip-address.ts";
import { type Ipv4, ipv4FromNumber, netmask } from "../net/ipv4.ts";
import type { Mac } from "../net/mac.ts";
import { addressFromRaw } from "../wire/raw.ts";
import { resolveNeighbor } from "../xdp/netlink.ts";
import { NetworkMirror, type NetworkSnapshot } from "../xdp/network-mirror.ts";
import { isUsable, type NetworkLink } from "../xdp/rtnetlink.ts";

/** A port as it was set up: its id is its place in the list. */
export interface Port {
  readonly name: string;
  readonly interfaceIndex: number;
  readonly kind: "uplink" | "inside" | "stack";
  /** Id of the other half of an uplink/stack pair. */
  readonly pair: number | null;
}

const NEIGHBOR_ROWS = 1 << 12;
/** Workers' requests are looked at this often: short against the second that a client waits before it tries again. */
const REQUEST_MILLISECONDS = 20;
/** A neighbour that doesn't answer is asked for again at this pace, as long as frames need it. */
const ASK_AGAIN_MILLISECONDS = 500;
/** The kernel does not see our traffic, so next hops in use are kept fresh by asking now and then. */
const REFRESH_MILLISECONDS = 10_000;
/** The address under which a stack port's own neighbour is kept: no host has it. */
const STACK_NEIGHBOR = ipv4FromNumber(0);

export class NetworkTables {
  readonly ports = new PortTable();
  readonly neighbors = new NeighborTable(neighborTableMemory(NEIGHBOR_ROWS));
  readonly neighborRequests = new NeighborRequests();
  fib: Fib = Fib.build([]);
  readonly #list: readonly Port[];
  readonly #mirror: NetworkMirror;
  readonly #timers: NodeJS.Timeout[] = [];
  #neighborKeys = new Map<string, { address: Ipv4; port: number }>();
  #nextHops = new Map<string, { address: Ipv4; port: number }>();

  /** @param onFib called after the FIB was replaced. */
  constructor(ports: readonly Port[], onFib: (fib: Fib) => void) {
    this.#list = ports;
    this.#mirror = new NetworkMirror();
    this.#update(this.#mirror.snapshot(), true);
    this.#mirror.onChange((changed) => {
      this.#update(this.#mirror.snapshot(), changed.has("routes"));
      if (changed.has("routes")) onFib(this.fib);
    });
    this.#timers.push(setInterval(() => this.#serveRequests(), REQUEST_MILLISECONDS).unref());
    this.#timers.push(setInterval(() => this.#refresh(), REFRESH_MILLISECONDS).unref());
  }

  /** Makes sure that the next hops towards these addresses are resolved before the first frame needs them. */
  prepare(addresses: readonly Ipv4[]): void {
    this.#nextHops = new Map();
    for (const address of [...addresses, ...this.#gateways()]) {
      const route = this.fib.lookup(address);
      if (route < 0) continue;
      const gateway = this.fib.gateway(route);
      const nextHop = gateway === 0 ? address : addressFromRaw(gateway);
      const port = this.fib.port(route);
      this.#nextHops.set(`${nextHop} ${port}`, { address: nextHop, port });
      this.neighbors.want(nextHop, port);
    }
    this.#refresh();
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
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
        address: firstIpv4(snapshot, port.interfaceIndex),
        pair: port.pair,
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
    const seen = new Map<string, { address: Ipv4; port: number }>();
    for (const neighbor of snapshot.neighbors) {
      const port = this.#portOf(neighbor.interfaceIndex);
      const address = toIpv4(neighbor.address);
      const own: Mac | null | undefined = links.get(neighbor.interfaceIndex)?.mac;
      if (port < 0 || address === null || !own) continue;
      seen.set(`${address} ${port}`, { address, port });
      const index = this.neighbors.set(address, port, isUsable(neighbor) ? neighbor.mac : null, own);
      if (index >= 0 && isUsable(neighbor)) this.neighbors.clearWanted(index);
    }
    for (const [key, { address, port }] of this.#neighborKeys) {
      if (!seen.has(key)) this.neighbors.set(address, port, null, 0 as Mac);
    }
    this.#neighborKeys = seen;
  }

  #routes(snapshot: NetworkSnapshot): Route[] {
    return snapshot.routes
      .filter((route) => route.type === "unicast" && route.destination.family === 4)
      .toSorted((a, b) => a.metric - b.metric)
      .flatMap((route) => {
        // Of a multipath route the first hop is taken: balancing over equal routers is theirs and the kernel's.
        const hop = route.nextHops.find(({ interfaceIndex }) => this.#portOf(interfaceIndex) >= 0);
        if (hop === undefined || hop.gateway?.family === 6) return [];
        const network = toIpv4(route.destination)! & netmask(route.prefixLength);
        return [
          {
            prefix: { address: ipv4FromNumber(network), length: route.prefixLength },
            gateway: hop.gateway === null ? null : toIpv4(hop.gateway),
            port: this.#portOf(hop.interfaceIndex),
          },
        ];
      });
  }

  #gateways(): Ipv4[] {
    const gateways = this.#mirror.snapshot().routes.flatMap(({ nextHops }) => nextHops.map(({ gateway }) => gateway));
    return gateways.flatMap((gateway) => (gateway?.family === 4 ? [toIpv4(gateway)!] : []));
  }

  #serveRequests(): void {
    this.neighborRequests.drain((raw, port) => {
      const address = addressFromRaw(raw);
      const index = this.neighbors.want(address, port);
      this.#ask(address, port);
      if (index >= 0) setTimeout(() => this.neighbors.clearWanted(index), ASK_AGAIN_MILLISECONDS).unref();
    });
  }

  #refresh(): void {
    for (const { address, port } of this.#nextHops.values()) this.#ask(address, port);
  }

  #ask(address: Ipv4, port: number): void {
    const target: IpAddress = { family: 4, value: BigInt(address) };
    const entry = this.#list[port];
    if (entry === undefined || entry.kind === "stack") return;
    try {
      resolveNeighbor(entry.interfaceIndex, target);
    } catch {
      // The interface is down or gone; its routes go with it, and frames towards it are counted as unresolved.
    }
  }

  #portOf(interfaceIndex: number): number {
    return this.#list.findIndex((port) => port.interfaceIndex === interfaceIndex && port.kind !== "stack");
  }
}

function firstIpv4(snapshot: NetworkSnapshot, interfaceIndex: number): Ipv4 | null {
  const own = snapshot.addresses.find((entry) => entry.interfaceIndex === interfaceIndex && entry.address.family === 4);
  return own === undefined ? null : toIpv4(own.address);
}
