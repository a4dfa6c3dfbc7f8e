/**
 * The node's own way to the addresses that it serves: routes into sl0, so that the node itself and its pods reach Services
 * here, without a router and whether or not one would send them back. The routes go with sl0.
 *
 * An address without any backend for this node is left to the network: another node may have some.
 */
import type { Logger } from "pino";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import { formatIpAddress, type IpAddress, type IpFamily } from "../net/ip-address.ts";
import { deleteRoute, setRoute } from "../xdp/netlink.ts";
import type { HostRoute } from "../xdp/rtnetlink-request.ts";
import { STACK_ADDRESSES, type StackInside } from "./stack-inside.ts";

export class LocalRoutes {
  readonly #interfaceIndex: number;
  readonly #ownAddress: (family: IpFamily) => IpAddress | null;
  readonly #log: Logger;
  #routes: ReadonlyMap<string, HostRoute> = new Map();
  #wanted: ReadonlyMap<string, HostRoute> = new Map();

  /** @param ownAddress of the node, for what it sends itself; `null` for a family that it hasn't. */
  constructor(stack: StackInside, ownAddress: (family: IpFamily) => IpAddress | null, log: Logger) {
    this.#interfaceIndex = stack.outer.index;
    this.#ownAddress = ownAddress;
    this.#log = log;
  }

  /** Before the workers change: the routes to what the spec no longer has go. */
  withdraw(spec: ForwardingSpec): void {
    this.#wanted = this.#routesFor(spec);
    for (const [name, route] of this.#routes) {
      if (!this.#wanted.has(name)) this.#try(() => deleteRoute(route));
    }
    this.#routes = new Map([...this.#routes].filter(([name]) => this.#wanted.has(name)));
  }

  /** After the workers serve that spec. */
  add(): void {
    for (const [name, route] of this.#wanted) {
      if (!this.#routes.has(name)) this.#try(() => setRoute(route));
    }
    this.#routes = this.#wanted;
  }

  /** Clients from outside need none of these routes, so they don't suffer for one that the kernel refuses. */
  #try(change: () => void): void {
    try {
      change();
    } catch (error) {
      this.#log.warn(`${(error as Error).message}; the node itself and its pods may not reach that Service from here`);
    }
  }

  #routesFor({ vips }: ForwardingSpec): ReadonlyMap<string, HostRoute> {
    const served = vips.filter(({ backends }) => backends.length > 0);
    return new Map(
      served.flatMap(({ address }): [string, HostRoute][] => {
        const preferredSource = this.#ownAddress(address.family);
        if (preferredSource === null) return [];
        const gateway = STACK_ADDRESSES[address.family].inner;
        const route = { destination: address, interfaceIndex: this.#interfaceIndex, gateway, preferredSource };
        return [[formatIpAddress(address), route]];
      }),
    );
  }
}
