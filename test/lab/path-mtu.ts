/** The path MTU that a host's kernel has learned for an address. */
import type { Namespace } from "./namespace.ts";

/** The MTU that a host has learned for the way to an address; 0 when it has learned of none. */
export function pathMtu(from: Namespace, to: string): number {
  return Number(/ mtu (?:lock )?(\d+)/.exec(from.run(["ip", "route", "get", to]))?.[1] ?? 0);
}

/** Has a host forget what it learned, so that the next packet is as long as its link takes. */
export function forgetPathMtu(host: Namespace): void {
  for (const family of ["-4", "-6"]) host.run(["ip", family, "route", "flush", "cache"]);
}
