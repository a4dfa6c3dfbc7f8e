/**
 * Path attributes as JSON and back. An absent attribute has no field.
 *
 *     {"origin":"IGP", "asPath":[65000,65001], "nextHop":"10.1.1.2", "med":5, "localPreference":100,
 *      "atomicAggregate":true, "aggregator":{"asn":65000,"address":"10.0.0.1"}, "communities":["65000:100"],
 *      "originatorId":"10.0.0.1", "clusterList":["10.0.0.2"],
 *      "mpReach":{"afi":"ipv6","safi":"unicast","nextHops":["2001:db8::1"],"nlri":["2001:db8:1::/64"]},
 *      "mpUnreach":{"afi":"ipv6","safi":"unicast","withdrawn":["2001:db8:2::/64"]},
 *      "extendedCommunities":["0002fde800000064"], "as4Path":[4200000000], "as4Aggregator":{…},
 *      "largeCommunities":["65000:1:2"], "onlyToCustomer":65000, "unknown":[{"flags":192,"code":99,"value":"00ff"}]}
 *
 * An AS path of one AS_SEQUENCE is a list of numbers; any other is a list of segments, each named by its kind:
 * `[{"sequence":[65000]},{"set":[1,2]}]`. A family that Sluice does not speak has `"afi":25,"safi":70,"value":HEX`. With
 * ADD-PATH a prefix is `{"prefix":"10.0.0.0/8","pathId":1}`. `"layout":["5002","4001"]` has flags and type of each attribute
 * in the order they came; it is there only when they are not the ones that we would write.
 */
import { formatIpv4, parseIpv4, parseIpv4Prefix } from "../net/ipv4.ts";
import { formatIpv6Prefix, parseIpv6, parseIpv6Prefix } from "./ipv6-prefix.ts";
import { flag, hex, ipv4, type JsonObject, list, number, object, oneOf, optional, parsed, text } from "./json-field.ts";
import {
  type Aggregator,
  type AsSegment,
  type AsSegmentKind,
  type MpReach,
  type MpUnreach,
  ORIGINS,
  type PathAttributes,
} from "./message.ts";
import { formatPrefixKey, type Ipv4Nlri, type Ipv6Nlri, prefixKey } from "./nlri.ts";
import { formatHex, readU16 } from "./octets.ts";
import { formatCommunity, parseCommunity, parseLargeCommunity } from "./route-attributes.ts";

const U32 = 0xffffffff;
const SEGMENT_KINDS: readonly AsSegmentKind[] = ["sequence", "set", "confed-sequence", "confed-set"];

export function attributesToJson(attributes: PathAttributes): JsonObject {
  const { asPath, nextHop, originatorId, as4Path, aggregator, as4Aggregator, mpReach, mpUnreach } = attributes;
  const json: Record<string, unknown> = {
    origin: attributes.origin,
    asPath: asPath && asPathToJson(asPath),
    nextHop: nextHop === null ? null : formatIpv4(nextHop),
    med: attributes.med,
    localPreference: attributes.localPreference,
    atomicAggregate: attributes.atomicAggregate || null,
    aggregator: aggregator && aggregatorToJson(aggregator),
    communities: attributes.communities.map(formatCommunity),
    originatorId: originatorId === null ? null : formatIpv4(originatorId),
    clusterList: attributes.clusterList.map(formatIpv4),
    mpReach: mpReach && mpToJson(mpReach, "nlri"),
    mpUnreach: mpUnreach && mpToJson(mpUnreach, "withdrawn"),
    extendedCommunities: attributes.extendedCommunities.map(formatHex),
    as4Path: as4Path && asPathToJson(as4Path),
    as4Aggregator: as4Aggregator && aggregatorToJson(as4Aggregator),
    ipv6ExtendedCommunities: attributes.ipv6ExtendedCommunities.map(formatHex),
    largeCommunities: attributes.largeCommunities.map((community) => community.join(":")),
    onlyToCustomer: attributes.onlyToCustomer,
    layout: attributes.layout?.map((head) => head.toString(16).padStart(4, "0")) ?? null,
    unknown: attributes.unknown.map(({ flags, code, value }) => ({ flags, code, value: formatHex(value) })),
  };
  for (const [name, value] of Object.entries(json)) {
    const emptyList = Array.isArray(value) && value.length === 0 && name !== "asPath" && name !== "as4Path";
    if (value === null || emptyList) delete json[name];
  }
  return json;
}

export function attributesFromJson(json: JsonObject, path: string): PathAttributes {
  const at = (name: string) => `${path}.${name}`;
  const u32 = (value: unknown, where: string) => number(value, where, U32);
  return {
    origin: optional(json["origin"], at("origin"), (value, where) => oneOf(value, where, ORIGINS)),
    asPath: optional(json["asPath"], at("asPath"), asPathFromJson),
    nextHop: optional(json["nextHop"], at("nextHop"), ipv4),
    med: optional(json["med"], at("med"), u32),
    localPreference: optional(json["localPreference"], at("localPreference"), u32),
    atomicAggregate: flag(json["atomicAggregate"], at("atomicAggregate")),
    aggregator: optional(json["aggregator"], at("aggregator"), aggregatorFromJson),
    communities: list(json["communities"], at("communities"), (value, where) =>
      parsed(value, where, parseCommunity, "ASN:VALUE"),
    ),
    originatorId: optional(json["originatorId"], at("originatorId"), ipv4),
    clusterList: list(json["clusterList"], at("clusterList"), ipv4),
    mpReach: optional(json["mpReach"], at("mpReach"), mpReachFromJson),
    mpUnreach: optional(json["mpUnreach"], at("mpUnreach"), mpUnreachFromJson),
    extendedCommunities: list(json["extendedCommunities"], at("extendedCommunities"), (value, where) =>
      parsed(value, where, (digits) => (digits.length === 16 ? hex(digits, where, 8) : null), "16 hex digits"),
    ),
    as4Path: optional(json["as4Path"], at("as4Path"), asPathFromJson),
    as4Aggregator: optional(json["as4Aggregator"], at("as4Aggregator"), aggregatorFromJson),
    ipv6ExtendedCommunities: list(json["ipv6ExtendedCommunities"], at("ipv6ExtendedCommunities"), (value, where) =>
      parsed(value, where, (digits) => (digits.length === 40 ? hex(digits, where, 20) : null), "40 hex digits"),
    ),
    largeCommunities: list(json["largeCommunities"], at("largeCommunities"), (value, where) =>
      parsed(value, where, parseLargeCommunity, "GLOBAL:LOCAL1:LOCAL2"),
    ),
    onlyToCustomer: optional(json["onlyToCustomer"], at("onlyToCustomer"), u32),
    layout: optional(json["layout"], at("layout"), (value, where) =>
      list(value, where, (head, each) => readU16(hex(head, each, 2), 0)),
    ),
    unknown: list(json["unknown"], at("unknown"), (value, where) => {
      const attribute = object(value, where);
      return {
        flags: number(attribute["flags"], `${where}.flags`, 255),
        code: number(attribute["code"], `${where}.code`, 255),
        value: hex(attribute["value"], `${where}.value`, 0xffff),
      };
    }),
  };
}

function asPathToJson(path: readonly AsSegment[]): unknown[] {
  if (path.length === 0) return [];
  if (path.length === 1 && path[0]!.kind === "sequence") return [...path[0]!.asns];
  return path.map((segment) => ({ [segment.kind]: segment.asns }));
}

function asPathFromJson(value: unknown, path: string): AsSegment[] {
  const asn = (one: unknown, where: string) => number(one, where, U32);
  if (Array.isArray(value) && value.every((one) => typeof one === "number")) {
    const asns = list(value, path, asn);
    return asns.length === 0 ? [] : [{ kind: "sequence", asns }];
  }
  return list(value, path, (one, where) => {
    const segment = object(one, where);
    const kind = oneOf(Object.keys(segment)[0], where, SEGMENT_KINDS);
    return { kind, asns: list(segment[kind], `${where}.${kind}`, asn) };
  });
}

function aggregatorToJson({ asn, address }: Aggregator): JsonObject {
  return { asn, address: formatIpv4(address) };
}

function aggregatorFromJson(value: unknown, path: string): Aggregator {
  const json = object(value, path);
  return { asn: number(json["asn"], `${path}.asn`, U32), address: ipv4(json["address"], `${path}.address`) };
}

function mpToJson(mp: MpReach | MpUnreach, prefixes: "nlri" | "withdrawn"): JsonObject {
  if (mp.family === "other") return { afi: mp.afi, safi: mp.safi, value: formatHex(mp.value) };
  const list = mp.family === "ipv4" ? ipv4NlriToJson(mp.nlri) : ipv6NlriToJson(mp.nlri);
  const nextHops = "nextHops" in mp ? { nextHops: mp.nextHops } : {};
  return { afi: mp.family, safi: "unicast", ...nextHops, [prefixes]: list };
}

function mpReachFromJson(value: unknown, path: string): MpReach {
  const json = object(value, path);
  const other = otherFamily(json, path);
  if (other !== null) return other;
  const family = oneOf(json["afi"], `${path}.afi`, ["ipv4", "ipv6"]);
  const nextHops = list(json["nextHops"], `${path}.nextHops`, (one, where) => {
    const known = (address: string) => (family === "ipv4" ? parseIpv4(address) : null) ?? parseIpv6(address);
    parsed(one, where, known, `an address to reach ${family} prefixes`);
    return text(one, where);
  });
  const where = `${path}.nlri`;
  if (family === "ipv4") return { family, nextHops, nlri: ipv4NlriFromJson(json["nlri"], where) };
  return { family, nextHops, nlri: ipv6NlriFromJson(json["nlri"], where) };
}

function mpUnreachFromJson(value: unknown, path: string): MpUnreach {
  const json = object(value, path);
  const other = otherFamily(json, path);
  if (other !== null) return other;
  const family = oneOf(json["afi"], `${path}.afi`, ["ipv4", "ipv6"]);
  const where = `${path}.withdrawn`;
  if (family === "ipv4") return { family, nlri: ipv4NlriFromJson(json["withdrawn"], where) };
  return { family, nlri: ipv6NlriFromJson(json["withdrawn"], where) };
}

function otherFamily(json: JsonObject, path: string): (MpReach & MpUnreach & { readonly family: "other" }) | null {
  if (typeof json["afi"] !== "number") return null;
  return {
    family: "other",
    afi: number(json["afi"], `${path}.afi`, 0xffff),
    safi: number(json["safi"], `${path}.safi`, 0xff),
    value: hex(json["value"], `${path}.value`, 0xffff),
  };
}

export function ipv4NlriToJson({ keys, pathIds }: Ipv4Nlri): unknown[] {
  return keys.map((key, i) => prefixToJson(formatPrefixKey(key), pathIds?.[i]));
}

function ipv6NlriToJson({ prefixes, pathIds }: Ipv6Nlri): unknown[] {
  return prefixes.map((prefix, i) => prefixToJson(formatIpv6Prefix(prefix), pathIds?.[i]));
}

function prefixToJson(prefix: string, pathId: number | undefined): unknown {
  return pathId === undefined ? prefix : { prefix, pathId };
}

export function ipv4NlriFromJson(value: unknown, path: string): Ipv4Nlri {
  const { prefixes, pathIds } = prefixesFromJson(value, path, parseIpv4Prefix, "an IPv4 prefix");
  return { keys: prefixes.map(prefixKey), pathIds };
}

function ipv6NlriFromJson(value: unknown, path: string): Ipv6Nlri {
  return prefixesFromJson(value, path, parseIpv6Prefix, "an IPv6 prefix");
}

/** Either all prefixes have a path identifier or none. */
function prefixesFromJson<Prefix>(
  value: unknown,
  path: string,
  parse: (text: string) => Prefix | null,
  expected: string,
): { prefixes: Prefix[]; pathIds: number[] | null } {
  const items = list(value, path, (one, where) => {
    if (typeof one === "string") return { prefix: parsed(one, where, parse, expected), pathId: null };
    const json = object(one, where);
    const pathId = number(json["pathId"], `${where}.pathId`, U32);
    return { prefix: parsed(json["prefix"], `${where}.prefix`, parse, expected), pathId };
  });
  const prefixes = items.map((item) => item.prefix);
  return items.some((item) => item.pathId !== null)
    ? { prefixes, pathIds: items.map((item) => item.pathId ?? 0) }
    : { prefixes, pathIds: null };
}
