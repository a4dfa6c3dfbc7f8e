/** What is said of sessions while their speaker is away: which they are, and why nothing is known of them. */
import type { DeclaredPeer, DeclaredSpec } from "../bgp/declared-spec.ts";
import type { PeerStatus } from "../bgp/speaker-spec.ts";

/** Why a speaker is away, since when (milliseconds since 1970), and what a person can do about it. */
export interface Absence {
  readonly lastError: string;
  readonly downSinceMilliseconds: number;
  readonly hint: string | null;
}

/** @param spec what the speaker was last told. */
export function unknownStatuses(spec: DeclaredSpec | null, absence: Absence): PeerStatus[] {
  return (spec?.instances ?? []).flatMap(({ localAsn, peers }) =>
    peers.map((peer) => unknownStatus(localAsn, peer, absence)),
  );
}

function unknownStatus(localAsn: number, { name, address, asn }: DeclaredPeer, absence: Absence): PeerStatus {
  return {
    localAsn,
    name,
    address,
    asn,
    state: "Idle",
    establishedAtMilliseconds: null,
    holdTimeSeconds: null,
    routesAdvertised: 0,
    routesReceived: 0,
    messagesSent: 0,
    messagesReceived: 0,
    timesEstablished: 0,
    ...absence,
    bfd: null,
  };
}
