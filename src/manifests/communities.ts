/** BGP communities as the manifests of both dialects write them. */
import { WELL_KNOWN_COMMUNITIES } from "./bgp-peering-policy-schema.ts";
import type { FieldPath, Report } from "./finding.ts";
import type { JsonSchema } from "./json-schema.ts";

export interface CommunityFields {
  readonly standard?: readonly string[];
  readonly wellKnown?: readonly string[];
  readonly large?: readonly string[];
}

export const COMMUNITIES_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    standard: { type: "array", items: { type: "string", pattern: "^[0-9]{1,10}$|^[0-9]{1,5}:[0-9]{1,5}$" } },
    wellKnown: { type: "array", items: { type: "string", enum: Object.keys(WELL_KNOWN_COMMUNITIES) } },
    large: { type: "array", items: { type: "string", pattern: "^[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10}$" } },
  },
};

export function readCommunities(
  fields: CommunityFields | undefined,
  path: FieldPath,
  report: Report,
): { readonly communities: readonly string[]; readonly largeCommunities: readonly string[] } {
  const wellKnown = (fields?.wellKnown ?? []).map((name) => WELL_KNOWN_COMMUNITIES[name]!);
  const standard = (fields?.standard ?? []).map(normalizeCommunity);
  for (const [index, community] of standard.entries()) {
    if (!partsFit(community, 0xffff)) report("error", [...path, "standard", index], "each half must be at most 65535");
  }
  return { communities: [...standard, ...wellKnown], largeCommunities: fields?.large ?? [] };
}

/** A community may be written as one 32-bit number. */
function normalizeCommunity(text: string): string {
  if (text.includes(":")) return text;
  const value = Number(text);
  return `${Math.floor(value / 65536)}:${value % 65536}`;
}

export function partsFit(text: string, maximum: number): boolean {
  return text.split(":").every((part) => Number(part) <= maximum);
}
