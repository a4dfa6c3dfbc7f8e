/**
 * What two OPENs agree on (RFC 4271 §4.2 and §6.2, 5492), and the OPEN that we propose.
 */
import type { Ipv4 } from "../net/ipv4.ts";
import { type Capability, encodeCapability, type Family, type Role } from "./capability.ts";
import { ErrorCode, type Fault, OpenError, reset } from "./fault.ts";
import { AS_TRANS, type Open, type WireSession } from "./message.ts";
import { AFI_IPV4, AFI_IPV6, SAFI_UNICAST } from "./mp-nlri.ts";
import { OctetWriter } from "./octets.ts";
import { BGP_VERSION } from "./open.ts";
import type { AddressFamily } from "./speaker-spec.ts";

/** What one side brings to a session. */
export interface SessionConfig {
  readonly localAsn: number;
  readonly routerId: Ipv4;
  /** 0 accepts any. */
  readonly peerAsn: number;
  readonly connectRetrySeconds: number;
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  readonly families: readonly AddressFamily[];
  readonly gracefulRestartSeconds: number | null;
  /** We are coming back from a restart and the peer may have kept our routes (the R bit of RFC 4724). */
  readonly restarting: boolean;
  /** Wait for the peer's connection instead of making one. */
  readonly passive: boolean;
  readonly extendedNextHop: boolean;
  /** What we are to the peer (RFC 9234); `null` says nothing. */
  readonly role: Role | null;
  readonly strictRole: boolean;
}

/** What holds for an established session. */
export interface Negotiated {
  readonly peerAsn: number;
  readonly peerRouterId: Ipv4;
  /** 0: no hold timer and no keepalives. */
  readonly holdTimeSeconds: number;
  readonly keepaliveSeconds: number;
  readonly families: readonly AddressFamily[];
  readonly peerCapabilities: readonly Capability[];
  readonly wire: WireSession;
  /** Both have the N bit (RFC 8538): a NOTIFICATION begins a graceful restart unless it is a hard reset. */
  readonly gracefulNotification: boolean;
  /** The peer keeps our routes while we restart. */
  readonly gracefulRestart: boolean;
  /** A refresh is framed by begin and end (RFC 7313). */
  readonly enhancedRefresh: boolean;
  /** Our role, when the session is external. */
  readonly role: Role | null;
}

/** RFC 9234 §4.2: who may stand opposite to whom. */
const OPPOSITE: Readonly<Record<Role, Role>> = {
  provider: "customer",
  customer: "provider",
  "route-server": "route-server-client",
  "route-server-client": "route-server",
  peer: "peer",
};

const IPV4_UNICAST: Family = { afi: AFI_IPV4, safi: SAFI_UNICAST };

function familyNumbers(family: AddressFamily): Family {
  return { afi: family.afi === "ipv4" ? AFI_IPV4 : AFI_IPV6, safi: SAFI_UNICAST };
}

export function openFor(config: SessionConfig): Open {
  const families = config.families.map(familyNumbers);
  const capabilities: Capability[] = [
    ...families.map((family): Capability => ({ name: "multiprotocol", ...family })),
    { name: "route-refresh" },
    { name: "four-octet-as", asn: config.localAsn },
    { name: "extended-message" },
    { name: "enhanced-route-refresh" },
  ];
  if (config.extendedNextHop) {
    capabilities.push({ name: "extended-next-hop", families: [{ ...IPV4_UNICAST, nextHopAfi: AFI_IPV6 }] });
  }
  if (config.role !== null && config.localAsn !== config.peerAsn) {
    capabilities.push({ name: "role", role: config.role });
  }
  if (config.gracefulRestartSeconds !== null) {
    capabilities.push({
      name: "graceful-restart",
      restarting: config.restarting,
      notification: true,
      timeSeconds: Math.min(config.gracefulRestartSeconds, 4095),
      // F bit: while we were away the kernel went on forwarding.
      families: families.map((family) => ({ ...family, forwarding: config.restarting })),
    });
  }
  return {
    type: "OPEN",
    version: BGP_VERSION,
    asn: config.localAsn > 0xffff ? AS_TRANS : config.localAsn,
    holdTimeSeconds: config.holdTimeSeconds,
    routerId: config.routerId,
    capabilities,
    parameters: null,
  };
}

/** Accepts the peer's OPEN or says why not. The codec has already refused what is wrong in itself. */
export function negotiate(config: SessionConfig, open: Open): Negotiated | Fault {
  const fourOctetAs = open.capabilities.find((capability) => capability.name === "four-octet-as");
  const peerAsn = fourOctetAs?.asn ?? open.asn;
  if (config.peerAsn !== 0 && peerAsn !== config.peerAsn) {
    const message = `the peer says it is AS ${peerAsn}, AS ${config.peerAsn} is configured`;
    return reset(ErrorCode.Open, OpenError.PeerAs, message);
  }
  const external = peerAsn !== config.localAsn;
  if (!external && open.routerId === config.routerId) {
    return reset(ErrorCode.Open, OpenError.RouterId, "the peer has our own BGP identifier");
  }
  const refusedRole = external ? roleRefusal(config, open) : null;
  if (refusedRole !== null) return reset(ErrorCode.Open, OpenError.RoleMismatch, refusedRole);
  const families = commonFamilies(config, open);
  if (families.length === 0) {
    const message = "the peer has none of the configured address families";
    return reset(ErrorCode.Open, OpenError.Capability, message, encodedFamilies(config));
  }
  const holdTimeSeconds = Math.min(config.holdTimeSeconds, open.holdTimeSeconds);
  const has = (name: Capability["name"]) => open.capabilities.some((capability) => capability.name === name);
  const restart = open.capabilities.find((capability) => capability.name === "graceful-restart");
  const gracefulRestart = config.gracefulRestartSeconds !== null && restart !== undefined;
  return {
    peerAsn,
    peerRouterId: open.routerId,
    holdTimeSeconds,
    keepaliveSeconds: Math.min(config.keepaliveTimeSeconds || holdTimeSeconds / 3, holdTimeSeconds / 3),
    families,
    peerCapabilities: open.capabilities,
    wire: {
      fourOctetAs: fourOctetAs !== undefined,
      addPathIpv4: false,
      addPathIpv6: false,
      extendedMessages: has("extended-message"),
      external,
      severalFamilies: families.length > 1,
      extendedNextHop: config.extendedNextHop && takesIpv6NextHops(open),
    },
    gracefulNotification: gracefulRestart && restart.notification,
    gracefulRestart,
    enhancedRefresh: has("enhanced-route-refresh"),
    role: external ? config.role : null,
  };
}

/** Why the roles do not go together (RFC 9234 §4.2), in words. */
function roleRefusal(config: SessionConfig, open: Open): string | null {
  if (config.role === null) return null;
  const theirs = open.capabilities.flatMap((capability) => (capability.name === "role" ? [capability.role] : []));
  if (theirs.length === 0) return config.strictRole ? "the peer names no role, and one is required" : null;
  if (new Set(theirs).size > 1) return "the peer names several roles";
  if (theirs[0] === OPPOSITE[config.role]) return null;
  return `the peer says it is our ${theirs[0]}, and we are its ${config.role}`;
}

function takesIpv6NextHops(open: Open): boolean {
  return open.capabilities.some(
    (capability) =>
      capability.name === "extended-next-hop" &&
      capability.families.some(
        ({ afi, safi, nextHopAfi }) => afi === AFI_IPV4 && safi === SAFI_UNICAST && nextHopAfi === AFI_IPV6,
      ),
  );
}

/** RFC 4760 §8: a peer that names no family at all speaks IPv4 unicast. */
function commonFamilies(config: SessionConfig, open: Open): AddressFamily[] {
  const named: Family[] = open.capabilities.filter((capability) => capability.name === "multiprotocol");
  const theirs = named.length === 0 ? [IPV4_UNICAST] : named;
  return config.families.filter((family) => {
    const ours = familyNumbers(family);
    return theirs.some((other) => other.afi === ours.afi && other.safi === ours.safi);
  });
}

/** RFC 5492 §5: the NOTIFICATION lists the capabilities that were missed. */
function encodedFamilies(config: SessionConfig): Uint8Array {
  const writer = new OctetWriter(16);
  for (const family of config.families) encodeCapability(writer, { name: "multiprotocol", ...familyNumbers(family) });
  return writer.finish();
}

/**
 * RFC 4271 §6.8: of two connections between the same two speakers, the one that the speaker with the higher BGP
 * identifier made survives; with equal identifiers the higher AS number decides (RFC 6286 §2.3).
 */
export function collisionLoser(config: SessionConfig, peerRouterId: Ipv4, peerAsn: number): "incoming" | "outgoing" {
  if (config.routerId !== peerRouterId) return config.routerId < peerRouterId ? "outgoing" : "incoming";
  return config.localAsn < peerAsn ? "outgoing" : "incoming";
}
