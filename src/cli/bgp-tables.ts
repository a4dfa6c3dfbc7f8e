/** What the BGP commands print for people. */
import type { ReceivedRoute } from "../bgp/adj-rib-in.ts";
import type { Explanation } from "../speaker/speaker-core.ts";
import type { SpeakerEvent } from "../speaker/speaker-event.ts";
import { textTable, wrapText } from "./text-table.ts";

const LINE_WIDTH = 100;

export function receivedTable(routes: readonly ReceivedRoute[]): string {
  if (routes.length === 0) return "this peer has told us no routes\n";
  const rows = routes.map((route) => [
    route.prefix,
    route.nextHop,
    route.asPath.map(({ asns }) => asns.join(" ")).join(" "),
    route.med === null ? "" : String(route.med),
    [
      ...route.communities,
      ...route.largeCommunities,
      ...route.extendedCommunities,
      ...(route.leaked ? ["(route leak)"] : []),
    ].join(" "),
  ]);
  return `${textTable(["PREFIX", "NEXT HOP", "AS PATH", "MED", "COMMUNITIES"], rows, LINE_WIDTH).join("\n")}\n`;
}

export function explanationText(explanations: readonly Explanation[]): string {
  if (explanations.length === 0) return "there is no such peer\n";
  return explanations
    .flatMap(({ peer, words }) => [
      `${peer}:`,
      ...words.flatMap((one) => wrapText(one, LINE_WIDTH - 2)).map((line) => `  ${line}`),
    ])
    .map((line) => `${line}\n`)
    .join("");
}

/** `2026-11-22T08:00:00.000Z router 10.0.0.1: OpenConfirm -> Established`. */
export function eventLine({ atMilliseconds, name, address, from, to, words }: SpeakerEvent): string {
  const peer = name === address ? name : `${name} ${address}`;
  const why = words === null ? "" : ` (${words})`;
  return `${new Date(atMilliseconds).toISOString()} ${peer}: ${from} -> ${to}${why}`;
}
