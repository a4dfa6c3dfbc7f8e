/**
 * Why a frame was not forwarded. A reason is a number on the hot path, a name everywhere else; the names are stable:
 * they appear in metrics, `sluice status`, `sluice replay` and tests.
 */

const NAMES = [
  "None",
  "FrameTooShort",
  "NotOurMac",
  "NotOurVlan",
  "BroadcastUnicast",
  "NotIp",
  "Ipv4HeaderInvalid",
  "Ipv4LengthInvalid",
  "Ipv4ChecksumInvalid",
  "Ipv6HeaderInvalid",
  "Ipv6ExtensionsInvalid",
  "MartianSource",
  "FragmentNotServed",
  "FragmentUnknown",
  "FragmentHeld",
  "FragmentInvalid",
  "FragmentTableFull",
  "TransportTruncated",
  "TcpFlagsInvalid",
  "TcpHeaderInvalid",
  "UdpLengthInvalid",
  "PortZero",
  "TtlExpired",
  "NotOurAddress",
  "NoSuchVip",
  "ProtocolNotServed",
  "IcmpNotHandled",
  "IcmpInvalid",
  "NoBackend",
  "NoStateForSegment",
  "TupleCollision",
  "SourcePortsExhausted",
  "NoRoute",
  "NeighborAwaited",
  "NeighborUnresolved",
  "NeighborTableFull",
  "FlowTableFull",
  "MtuExceeded",
  "SourceNotAllowed",
  "PolicyDenied",
  "IcmpUnrelated",
  "NdpInvalid",
  "NdpNotOurs",
  "ArpInvalid",
  "ArpNotOurs",
  "AddressConflict",
  "DsrOptionNoRoom",
  "NoTunnelAddress",
  "BackendNotOnLink",
  "TunnelInvalid",
  "TunnelStranger",
  "TunnelPathMtu",
  "TransmitRingFull",
  "FrameMemoryFull",
] as const;

export type DropReasonName = (typeof NAMES)[number];

/** Name to number. */
export const DropReason = Object.fromEntries(NAMES.map((name, number) => [name, number])) as Readonly<
  Record<DropReasonName, number>
>;

export const DROP_REASONS: readonly DropReasonName[] = NAMES;
