/**
 * What leads traffic to the workers, as a spec says: the maps of the XDP program, and the node's own routes. It is
 * narrowed before the workers change, and widened after, so that nothing comes to them that they don't serve.
 */
import type { Logger } from "pino";
import type { ForwardingSpec, OwnedAddress } from "../dataplane/forwarding-spec.ts";
import type { BpfObject } from "../xdp/bpf.ts";
import { DsrMaps } from "./dsr-maps.ts";
import { LocalRoutes } from "./local-routes.ts";
import type { NetworkTables } from "./network-tables.ts";
import { OwnedMap } from "./owned-map.ts";
import type { StackInside } from "./stack-inside.ts";

export class Steering {
  readonly #owned: OwnedMap;
  readonly #dsr: DsrMaps;
  readonly #localRoutes: LocalRoutes | null;
  #addresses: readonly OwnedAddress[] | null = null;

  constructor(object: BpfObject, network: NetworkTables, stack: StackInside | null, log: Logger) {
    this.#owned = new OwnedMap({ 4: object.map("owned4"), 6: object.map("owned6") });
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
      this.#owned.apply(spec.owned);
      this.#addresses = spec.owned;
    }
    this.#dsr.apply(spec);
    this.#localRoutes?.add();
  }
}
