/** What a changed configuration does to a session: which of its settings both sides have settled on. */
import type { SessionConfig } from "../bgp/negotiation.ts";
import type { InstanceSpec, PeerSpec } from "../bgp/speaker-spec.ts";
import { parseIpv4 } from "../net/ipv4.ts";

/** What a session is made of; its routes are another matter. */
type PeerSettings = Omit<PeerSpec, "routes">;
export type InstanceIdentity = Pick<InstanceSpec, "localAsn" | "routerId" | "listenPort">;

/** What changed that forces another session, in words; `null` when the session can live on. */
export function resettingChange(
  oldIdentity: InstanceIdentity,
  old: PeerSettings,
  identity: InstanceIdentity,
  spec: PeerSettings,
): string | null {
  if (oldIdentity.routerId !== identity.routerId) return "router ID";
  if (old.asn !== spec.asn) return "peer AS number";
  if (old.port !== spec.port) return "peer port";
  if (old.localAddress !== spec.localAddress) return "local address";
  if (old.interfaceName !== spec.interfaceName) return "interface";
  if (old.password !== spec.password) return "password";
  if (old.ebgpMultihopTtl !== spec.ebgpMultihopTtl) return "multihop TTL";
  if (old.ttlSecurityHops !== spec.ttlSecurityHops) return "TTL security";
  if ((old.passive ?? false) !== (spec.passive ?? false)) return "passive mode";
  if ((old.extendedNextHop ?? false) !== (spec.extendedNextHop ?? false)) return "extended next hop";
  if ((old.role ?? null) !== (spec.role ?? null)) return "role";
  if (JSON.stringify(old.families) !== JSON.stringify(spec.families)) return "address families";
  return null;
}

export function sessionConfigOf(identity: InstanceIdentity, spec: PeerSettings, restarting: boolean): SessionConfig {
  return {
    localAsn: identity.localAsn,
    routerId: parseIpv4(identity.routerId)!,
    peerAsn: spec.asn,
    connectRetrySeconds: spec.connectRetrySeconds,
    holdTimeSeconds: spec.holdTimeSeconds,
    keepaliveTimeSeconds: spec.keepaliveTimeSeconds,
    families: spec.families,
    gracefulRestartSeconds: spec.gracefulRestartSeconds,
    restarting,
    passive: spec.passive ?? false,
    extendedNextHop: spec.extendedNextHop ?? false,
    role: spec.role ?? null,
    strictRole: spec.strictRole ?? false,
  };
}

const HIGHEST_TTL = 255;

/** TTLs of the connection: what we send with, and the least that we take. */
export function hopLimits(
  localAsn: number,
  spec: PeerSettings,
): { readonly ttl: number | null; readonly minTtl: number | null } {
  const hops = spec.ttlSecurityHops ?? null;
  if (hops !== null) return { ttl: HIGHEST_TTL, minTtl: HIGHEST_TTL + 1 - hops };
  return { ttl: spec.asn === localAsn ? null : spec.ebgpMultihopTtl, minTtl: null };
}
