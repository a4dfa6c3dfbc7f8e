/** The hops of a path, as `traceroute` shows them to whoever looks. */
import type { Namespace } from "./namespace.ts";

/**
 * Addresses of the hops, as far as the destination, at most six.
 * @param options what kind of probe, to which port; the destination last.
 */
export function traceroute(from: Namespace, family: 4 | 6, ...options: string[]): string[] {
  return from
    .run(["traceroute", `-${family}`, "-n", "-q", "1", "-w", "2", "-m", "6", ...options])
    .split("\n")
    .slice(1)
    .flatMap((line) => /^ *\d+ +(\S+)/.exec(line)?.[1] ?? []);
}
