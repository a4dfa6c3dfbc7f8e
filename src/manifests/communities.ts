/** BGP communities as the manifests of both dialects write them. */
import type { FieldPath, Report } from "./finding.ts";
import type { JsonSchema } from "./json-schema.ts";

/** RFC 1997 and the IANA registry of well-known communities. */
const WELL_KNOWN_COMMUNITIES: Readonly<Record<string, string>> = {
  internet: "0:0",
  "planned-shut": "65535:0",
  "accept-own": "65535:1",
  "route-filter-translated-v4": "65535:2",
  "route-filter-v4": "65535:3",
  "route-filter-translated-v6": "65535:4",
  "route-filter-v6": "65535:5",
  "llgr-stale": "65535:6",
  "no-llgr": "65535:7",
  blackhole: "65535:666",
  "no-export": "65535:65281",
  "no-advertise": "65535:65282",
  "no-export-subconfed": "65535:65283",
  "no-peer": "65535:65284",
};

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

function partsFit(text: string, maximum: number): boolean {
  return text.split(":").every((part) => Number(part) <= maximum);
}
