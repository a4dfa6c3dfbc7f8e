/**
 * The path attributes that Sluice knows: number, required flags, and what a fault in each one costs (RFC 7606 §7).
 *
 * An attribute that is not in this table is kept as octets when it is optional.
 */
import type { FaultAction } from "./fault.ts";

export const Flag = { Optional: 0x80, Transitive: 0x40, Partial: 0x20, ExtendedLength: 0x10 } as const;

export const AttributeCode = {
  Origin: 1,
  AsPath: 2,
  NextHop: 3,
  Med: 4,
  LocalPreference: 5,
  AtomicAggregate: 6,
  Aggregator: 7,
  Communities: 8,
  OriginatorId: 9,
  ClusterList: 10,
  MpReach: 14,
  MpUnreach: 15,
  ExtendedCommunities: 16,
  As4Path: 17,
  As4Aggregator: 18,
  Ipv6ExtendedCommunities: 25,
  LargeCommunities: 32,
  OnlyToCustomer: 35,
} as const;

export interface AttributeRule {
  readonly name: string;
  /** The Optional and Transitive bits it must have. */
  readonly flags: number;
  readonly onMalformed: FaultAction;
  /** A peer in another AS has no business sending it: malformed there, it is only discarded. */
  readonly internalOnly: boolean;
}

const WELL_KNOWN = Flag.Transitive;
const OPTIONAL = Flag.Optional;
const OPTIONAL_TRANSITIVE = Flag.Optional | Flag.Transitive;

function rule(name: string, flags: number, onMalformed: FaultAction, internalOnly = false): AttributeRule {
  return { name, flags, onMalformed, internalOnly };
}

export const ATTRIBUTE_RULES: ReadonlyMap<number, AttributeRule> = new Map([
  [AttributeCode.Origin, rule("ORIGIN", WELL_KNOWN, "treat-as-withdraw")],
  [AttributeCode.AsPath, rule("AS_PATH", WELL_KNOWN, "treat-as-withdraw")],
  [AttributeCode.NextHop, rule("NEXT_HOP", WELL_KNOWN, "treat-as-withdraw")],
  [AttributeCode.Med, rule("MULTI_EXIT_DISC", OPTIONAL, "treat-as-withdraw")],
  [AttributeCode.LocalPreference, rule("LOCAL_PREF", WELL_KNOWN, "treat-as-withdraw", true)],
  [AttributeCode.AtomicAggregate, rule("ATOMIC_AGGREGATE", WELL_KNOWN, "attribute-discard")],
  [AttributeCode.Aggregator, rule("AGGREGATOR", OPTIONAL_TRANSITIVE, "attribute-discard")],
  [AttributeCode.Communities, rule("COMMUNITIES", OPTIONAL_TRANSITIVE, "treat-as-withdraw")],
  [AttributeCode.OriginatorId, rule("ORIGINATOR_ID", OPTIONAL, "treat-as-withdraw", true)],
  [AttributeCode.ClusterList, rule("CLUSTER_LIST", OPTIONAL, "treat-as-withdraw", true)],
  [AttributeCode.MpReach, rule("MP_REACH_NLRI", OPTIONAL, "session-reset")],
  [AttributeCode.MpUnreach, rule("MP_UNREACH_NLRI", OPTIONAL, "session-reset")],
  [AttributeCode.ExtendedCommunities, rule("EXTENDED_COMMUNITIES", OPTIONAL_TRANSITIVE, "treat-as-withdraw")],
  [AttributeCode.As4Path, rule("AS4_PATH", OPTIONAL_TRANSITIVE, "attribute-discard")],
  [AttributeCode.As4Aggregator, rule("AS4_AGGREGATOR", OPTIONAL_TRANSITIVE, "attribute-discard")],
  [AttributeCode.Ipv6ExtendedCommunities, rule("IPV6_EXTENDED_COMMUNITIES", OPTIONAL_TRANSITIVE, "treat-as-withdraw")],
  [AttributeCode.LargeCommunities, rule("LARGE_COMMUNITY", OPTIONAL_TRANSITIVE, "treat-as-withdraw")],
  [AttributeCode.OnlyToCustomer, rule("ONLY_TO_CUSTOMER", OPTIONAL_TRANSITIVE, "treat-as-withdraw")],
]);
