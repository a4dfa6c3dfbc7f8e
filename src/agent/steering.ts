/**
 * What leads traffic to the workers, as a spec says: the maps of the XDP program, and the node's own routes. It is
 * narrowed before the workers change, and widened after, so that nothing comes to them that they don't serve.
 */
import type { Logger } from "pino";
import type { ForwardingSpec, OwnedAddress } from "../dataplane/forwarding-spec.ts";
import type { BpfObject } from "../xdp/bpf.ts";
import { DsrMaps } from "./dsr-maps.ts";
import { LocalRoutes } from "./local-routes.ts";
import type { NetworkTables, Port } from "./network-tables.ts";
import { OwnedMap } from "./owned-map.ts";
import type { StackInside } from "./stack-inside.ts";

export class Steering {
  readonly #ports: readonly Port[];
  readonly #owned: OwnedMap;
  readonly #dsr: DsrMaps;
  readonly #localRoutes: LocalRoutes | null;
  #addresses: readonly OwnedAddress[] | null = null;

  constructor(
    object: BpfObject,
    ports: readonly Port[],
    network: NetworkTables,
    stack: StackInside | null,
    log: Logger,
  ) {
    this.#ports = ports;
    this.#owned = new OwnedMap({
      4: { owned: object.map("owned4"), answered: object.map("arp4") },
      6: { owned: object.map("owned6"), answered: object.map("ndp6") },
    });
    this.#dsr = new DsrMaps(object);
    this.#localRoutes = stack && new LocalRoutes(stack, (family) => network.ownAddress(family), log);
  }

  /**
   * The node's own routes to what the spec no longer has go. Its addresses stay with the workers until these have
   * changed, as what passed by them would travel between node and router.
   */
  narrow(spec: ForwardingSpec): void {
    this.#localRoutes?.withdraw(spec);
  }

  widen(spec: ForwardingSpec): void {
    // The same list is what most changes leave, and it may be long.
    if (spec.owned !== this.#addresses) {
      this.#owned.apply(spec.owned, (name) => this.#ports.find((port) => port.name === name)?.interfaceIndex ?? null);
      this.#addresses = spec.owned;
    }
    this.#dsr.apply(spec);
    this.#localRoutes?.add();
  }
}
