/** Path attributes to octets, in the usual order or in the one that the message came with. */
import { as4PathOf, encodeAsPath, twoOctetAsn } from "./as-path.ts";
import { arrange, type EncodedAttribute, withLength } from "./attribute-layout.ts";
import { ATTRIBUTE_RULES, AttributeCode, Flag } from "./attribute-table.ts";
import { type Aggregator, ORIGINS, type PathAttributes, type WireSession } from "./message.ts";
import { encodeMpReach, encodeMpUnreach } from "./mp-nlri.ts";
import { OctetWriter } from "./octets.ts";

export function encodeAttributes(writer: OctetWriter, attributes: PathAttributes, session: WireSession): void {
  const asOctets = session.fourOctetAs === false ? 2 : 4;
  const { mpReach, mpUnreach, origin, asPath, nextHop, aggregator } = attributes;
  const encoded: EncodedAttribute[] = [];
  const put = (code: number, write: (value: OctetWriter) => void) => {
    const value = new OctetWriter(64);
    write(value);
    encoded.push({ flags: ATTRIBUTE_RULES.get(code)!.flags, code, value: value.finish() });
  };
  const putU32 = (code: number, value: number | null) => {
    if (value !== null) put(code, (octets) => octets.u32(value));
  };
  const putList = <T>(code: number, list: readonly T[], write: (value: OctetWriter, item: T) => void) => {
    if (list.length > 0) put(code, (octets) => list.forEach((item) => void write(octets, item)));
  };

  if (mpReach !== null) put(AttributeCode.MpReach, (value) => encodeMpReach(value, mpReach));
  if (mpUnreach !== null) put(AttributeCode.MpUnreach, (value) => encodeMpUnreach(value, mpUnreach));
  if (origin !== null) put(AttributeCode.Origin, (value) => value.u8(ORIGINS.indexOf(origin)));
  if (asPath !== null) put(AttributeCode.AsPath, (value) => encodeAsPath(value, asPath, asOctets));
  putU32(AttributeCode.NextHop, nextHop);
  putU32(AttributeCode.Med, attributes.med);
  putU32(AttributeCode.LocalPreference, attributes.localPreference);
  if (attributes.atomicAggregate) put(AttributeCode.AtomicAggregate, () => {});
  if (aggregator !== null) put(AttributeCode.Aggregator, (value) => encodeAggregator(value, aggregator, asOctets));
  putList(AttributeCode.Communities, attributes.communities, (value, community) => value.u32(community));
  putU32(AttributeCode.OriginatorId, attributes.originatorId);
  putList(AttributeCode.ClusterList, attributes.clusterList, (value, cluster) => value.u32(cluster));
  putList(AttributeCode.ExtendedCommunities, attributes.extendedCommunities, (value, octets) => value.octets(octets));
  const as4Path = attributes.as4Path ?? (asOctets === 2 && asPath !== null ? as4PathOf(asPath) : null);
  if (as4Path !== null) put(AttributeCode.As4Path, (value) => encodeAsPath(value, as4Path, 4));
  const wide = asOctets === 2 && aggregator !== null && aggregator.asn > 0xffff ? aggregator : null;
  const as4Aggregator = attributes.as4Aggregator ?? wide;
  if (as4Aggregator !== null) {
    put(AttributeCode.As4Aggregator, (value) => encodeAggregator(value, as4Aggregator, 4));
  }
  putList(AttributeCode.Ipv6ExtendedCommunities, attributes.ipv6ExtendedCommunities, (value, octets) =>
    value.octets(octets),
  );
  putList(AttributeCode.LargeCommunities, attributes.largeCommunities, (value, [global, local1, local2]) =>
    value.u32(global).u32(local1).u32(local2),
  );
  putU32(AttributeCode.OnlyToCustomer, attributes.onlyToCustomer);
  encoded.push(...attributes.unknown);
  const arranged = attributes.layout === null ? encoded : arrange(encoded, attributes.layout);
  for (const attribute of arranged) frame(writer, attribute);
}

function frame(writer: OctetWriter, { flags, code, value }: EncodedAttribute): void {
  const framed = withLength(flags, value.length);
  writer.u8(framed).u8(code);
  if ((framed & Flag.ExtendedLength) !== 0) writer.u16(value.length);
  else writer.u8(value.length);
  writer.octets(value);
}

function encodeAggregator(value: OctetWriter, aggregator: Aggregator, octets: 2 | 4): void {
  if (octets === 4) value.u32(aggregator.asn);
  else value.u16(twoOctetAsn(aggregator.asn));
  value.u32(aggregator.address);
}
