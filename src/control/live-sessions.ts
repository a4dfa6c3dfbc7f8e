/**
 * What the sessions of a node add to why a Service is where it is: a planned route goes nowhere while its session is down.
 */
import type { PeerStatus } from "../bgp/speaker-spec.ts";
import type { ServiceExplanation, SessionTrouble } from "./explain-service.ts";

/** @param peers of that node, as its speaker tells of them. */
export function withLiveSessions(
  explanation: ServiceExplanation,
  nodeName: string,
  peers: readonly PeerStatus[],
): ServiceExplanation {
  const node = explanation.nodes[nodeName];
  if (node === undefined) return explanation;
  const sessions = node.sessions.map((session) => {
    const peer = peers.find(({ name }) => name === session.peer);
    return peer === undefined || session.routes.length === 0 ? session : { ...session, trouble: troubleOf(peer) };
  });
  return { ...explanation, nodes: { ...explanation.nodes, [nodeName]: { ...node, sessions } } };
}

function troubleOf({ state, downSinceMilliseconds, lastError, hint }: PeerStatus): SessionTrouble | null {
  if (state === "Established" || downSinceMilliseconds == null) return null;
  return { state, since: new Date(downSinceMilliseconds).toISOString(), why: lastError, hint };
}
