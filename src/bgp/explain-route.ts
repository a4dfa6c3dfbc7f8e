/** Why a peer has a prefix or has it not, in sentences: the answer to "the router doesn't see my route". */
import { type ExportPolicy, nextHopFor } from "./export-policy.ts";
import { findRoute, type RouteTable } from "./route-table.ts";
import type { AddressFamily, PeerStatus } from "./speaker-spec.ts";

export interface RouteQuestion {
  readonly prefix: string;
  readonly status: PeerStatus;
  readonly declared: RouteTable;
  /** `null` unless the session is established. */
  readonly session: {
    readonly families: readonly AddressFamily[];
    readonly policy: ExportPolicy;
    readonly sent: RouteTable;
  } | null;
}

export function explainRoute({ prefix, status, declared, session }: RouteQuestion): string[] {
  const afi = prefix.includes(":") ? "ipv6" : "ipv4";
  const route = findRoute(declared, prefix);
  if (route === "unreadable") return [`${prefix} is not a prefix`];
  if (route === null) {
    const refusal = declared.refused.find((one) => one.startsWith(`${prefix}:`));
    if (refusal !== undefined) return [`${refusal}, so it is announced to nobody`];
    return [`${prefix} is not among the routes for ${status.name}: no advertisement selects it, or it is not ready`];
  }
  if (session === null) {
    const why = status.lastError === null ? "" : `: ${status.lastError}`;
    const hint = status.hint === null ? [] : [status.hint];
    return [`the session with ${status.name} is ${status.state}, not Established${why}`, ...hint];
  }
  if (!session.families.some((family) => family.afi === afi)) {
    return [`the session with ${status.name} does not carry ${afi} unicast: enable it on both sides`];
  }
  const nextHop = nextHopFor(route, afi, session.policy);
  if (nextHop === null) {
    const own = session.policy.selfAddress ?? "no known address";
    return [
      `there is no ${afi} next hop for it: the route says ${route.nextHop} and we are ${own} on this session` +
        (afi === "ipv4" ? "; IPv6 next hops (RFC 8950) are not agreed on" : ""),
    ];
  }
  if (findRoute(session.sent, prefix) === null) return [`${prefix} is about to be sent to ${status.name}`];
  const marks = session.policy.gracefulShutdown ? ", marked as about to go (graceful shutdown)" : "";
  return [
    `${status.name} was told ${prefix} via ${nextHop}${marks}; if it does not use it, its import policy or a better path is why`,
  ];
}
