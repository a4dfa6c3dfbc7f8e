/** The routes of a namespace's kernel, whoever put them there. */
import type { Family } from "./both-families.ts";
import type { Namespace } from "./namespace.ts";

export interface KernelRoute {
  /** With prefix length, also for a host: `20.0.0.100/32`. */
  readonly prefix: string;
  /** One for each way; a route to a link has no gateway. */
  readonly ways: readonly { readonly gateway: string | null; readonly device: string }[];
  readonly metric: number;
}

interface IpRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly via?: { readonly host: string };
  readonly dev?: string;
  readonly metric?: number;
  readonly nexthops?: readonly Pick<IpRoute, "gateway" | "via" | "dev">[];
}

export function kernelRoutes(namespace: Namespace, family: Family): KernelRoute[] {
  const ip = ["ip", family === "ipv4" ? "-4" : "-6", "-j", "route", "show"];
  const routes = JSON.parse(namespace.run(ip) || "[]") as IpRoute[];
  return routes.map((route) => ({
    prefix: withLength(route.dst, family),
    ways: (route.nexthops ?? [route]).map((way) => ({
      gateway: way.gateway ?? way.via?.host ?? null,
      device: way.dev ?? "",
    })),
    metric: route.metric ?? 0,
  }));
}

/** `undefined` where there is none. */
export function kernelRoute(namespace: Namespace, prefix: string, family: Family): KernelRoute | undefined {
  return kernelRoutes(namespace, family).find((route) => route.prefix === prefix);
}

function withLength(destination: string, family: Family): string {
  if (destination === "default" || destination.includes("/")) return destination;
  return `${destination}/${family === "ipv4" ? 32 : 128}`;
}
