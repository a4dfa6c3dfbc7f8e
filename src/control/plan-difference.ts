/** What would change between two plans, and whether anything that is live would move. */
import type { Plan } from "./plan.ts";

interface AddressChange {
  readonly service: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

interface RouteChange {
  readonly node: string;
  readonly localASN: number;
  readonly peer: string;
  readonly prefix: string;
  readonly change: "announced" | "withdrawn" | "changed";
}

export interface OwnerChange {
  readonly address: string;
  readonly before: string | null;
  readonly after: string | null;
}

export interface PlanDifference {
  readonly addresses: readonly AddressChange[];
  readonly routes: readonly RouteChange[];
  readonly owners: readonly OwnerChange[];
  /** A live address, route or owner would be lost or become another one. What is only added moves nothing. */
  readonly moves: boolean;
}

export function planDifference(before: Plan, after: Plan): PlanDifference {
  const addresses = addressChanges(before, after);
  const routes = routeChanges(before, after);
  const owners = ownerChanges(before, after);
  const moves =
    addresses.some((change) => change.before.some((address) => !change.after.includes(address))) ||
    routes.some(({ change }) => change !== "announced") ||
    owners.some((change) => change.before !== null);
  return { addresses, routes, owners, moves };
}

function addressChanges(before: Plan, after: Plan): AddressChange[] {
  return unionOfKeys(before.services, after.services).flatMap((service) => {
    const change = {
      service,
      before: before.services[service]?.ingress ?? [],
      after: after.services[service]?.ingress ?? [],
    };
    return sameSet(change.before, change.after) ? [] : [change];
  });
}

function routeChanges(before: Plan, after: Plan): RouteChange[] {
  const old = routesOf(before);
  const now = routesOf(after);
  const keys = [...new Set([...old.keys(), ...now.keys()])].sort();
  return keys.flatMap((key): RouteChange[] => {
    const { place } = (now.get(key) ?? old.get(key))!;
    if (!old.has(key)) return [{ ...place, change: "announced" }];
    if (!now.has(key)) return [{ ...place, change: "withdrawn" }];
    return old.get(key)!.attributes === now.get(key)!.attributes ? [] : [{ ...place, change: "changed" }];
  });
}

interface PlacedRoute {
  readonly place: Omit<RouteChange, "change">;
  readonly attributes: string;
}

function routesOf(plan: Plan): Map<string, PlacedRoute> {
  const routes = new Map<string, PlacedRoute>();
  for (const [node, { bgp }] of Object.entries(plan.nodes)) {
    for (const { localASN, peers } of bgp) {
      for (const peer of peers) {
        for (const route of peer.routes) {
          const place = { node, localASN, peer: peer.name, prefix: route.prefix };
          routes.set(JSON.stringify(Object.values(place)), { place, attributes: JSON.stringify(route) });
        }
      }
    }
  }
  return routes;
}

function ownerChanges(before: Plan, after: Plan): OwnerChange[] {
  return unionOfKeys(before.l2Owners, after.l2Owners).flatMap((address) => {
    const change = {
      address,
      before: before.l2Owners[address] ?? null,
      after: after.l2Owners[address] ?? null,
    };
    return change.before === change.after ? [] : [change];
  });
}

function unionOfKeys(a: object, b: object): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value) => b.includes(value));
}
