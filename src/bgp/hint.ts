/**
 * What a person can do about the last error of a session. The words are those that sessions and transports report; an
 * error that has no certain remedy has no hint.
 */
import type { PeerSpec } from "./speaker-spec.ts";

type Known = Pick<PeerSpec, "address" | "asn" | "password">;

const HINTS: readonly (readonly [RegExp, (peer: Known, localAsn: number) => string])[] = [
  [
    /the peer closed the session: OPEN Message Error\/Bad Peer AS/,
    (_, localAsn) => `the router expects another AS than ${localAsn} of this node: compare its \`remote-as\` for us`,
  ],
  [
    /the peer says it is AS (\d+)/,
    ({ asn }) => `the router is not in AS ${asn}: correct the peer's AS number here, or the router's own`,
  ],
  [
    /Connection Collision Resolution|Connection Rejected/,
    () => "another BGP speaker of this node may have a session with the same router: a router keeps one per address",
  ],
  [
    /Maximum Number of Prefixes/,
    () => "the router takes fewer routes than we announce: raise its `maximum-prefix`, or aggregate",
  ],
  [/Administrative Shutdown|De-configured/, () => "the router's operator switched the session off: enable it there"],
  [
    /Role Mismatch|the peer says it is our|names no role/,
    () =>
      "roles must be opposite (RFC 9234): provider and customer, route-server and route-server-client, peer and peer",
  ],
  [
    /our own BGP identifier|Bad BGP Identifier/,
    () => "two speakers have the same router ID: give this node one of its own",
  ],
  [
    /none of the configured address families|Unsupported Capability/,
    () => "the router has other address families enabled for us: compare them on both sides",
  ],
  [
    /timed out|does not answer/,
    ({ password }) =>
      password === null
        ? "a firewall, a wrong address, or a router that expects a TCP MD5 password of us"
        : "a firewall, a wrong address, or another TCP MD5 password on the router",
  ],
  [
    /refused: no BGP speaker listens/,
    ({ address }) => `the router's BGP does not listen on ${address}, or does not know this node's address`,
  ],
  [/no route to/, () => "this node has no route to the router: check addresses and the interface"],
  [
    /TCP port \d+ is taken/,
    () => "another BGP speaker listens on this node: stop it, use another port, or leave the port out to connect only",
  ],
  [
    /closed the connection|reset the connection/,
    () => "the router closes without a word when it has no neighbor with this node's source address",
  ],
  [/is not on this node/, () => "the source address must be one of this node's own"],
  [/hold timer expired|Hold Timer Expired/, () => "packets are lost between the two, or one side stood still"],
  [/BFD/, () => "the path to the router is broken, or its BFD has another pace than it can keep"],
];

/** `null` when there is nothing certain to say. */
export function hintFor(lastError: string | null, peer: Known, localAsn: number): string | null {
  if (lastError === null) return null;
  const found = HINTS.find(([pattern]) => pattern.test(lastError));
  return found === undefined ? null : found[1](peer, localAsn);
}
