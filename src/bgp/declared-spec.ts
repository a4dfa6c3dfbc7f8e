/**
 * A `SpeakerSpec` made ready where it was made: the same sessions, each list of routes as a table. That is the form that
 * crosses threads and sockets: a million routes are 9 MB of octets there, and three hundred as objects.
 */
import { compileRoutes } from "./compile-routes.ts";
import type { RouteTable } from "./route-table.ts";
import type { InstanceSpec, PeerSpec, RouteSpec, SpeakerSpec } from "./speaker-spec.ts";

export type DeclaredPeer = Omit<PeerSpec, "routes"> & { readonly routes: RouteTable };
export type DeclaredInstance = Omit<InstanceSpec, "peers"> & { readonly peers: readonly DeclaredPeer[] };

export interface DeclaredSpec {
  readonly instances: readonly DeclaredInstance[];
}

/** Peers that share a list of routes share a table. */
export function declared(spec: SpeakerSpec): DeclaredSpec {
  const tables = new Map<readonly RouteSpec[], RouteTable>();
  const tableOf = (routes: readonly RouteSpec[]) => {
    const table = tables.get(routes) ?? compileRoutes(routes);
    tables.set(routes, table);
    return table;
  };
  return {
    instances: spec.instances.map((instance) => ({
      ...instance,
      peers: instance.peers.map((peer) => ({ ...peer, routes: tableOf(peer.routes) })),
    })),
  };
}
