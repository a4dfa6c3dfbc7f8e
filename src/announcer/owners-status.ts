/** Who owns what, as this node sees it: the source of `sluice l2 owners` and of the metrics. */
import type { L2Status, OwnerStatus } from "./announcer-message.ts";
import type { AnnouncingNode } from "./announcing-node.ts";

export function ownersStatus(node: AnnouncingNode, self: string): L2Status {
  node.catchUp();
  const now = performance.now();
  const { agreement, links, sockets } = node;
  const living = agreement.roll.living();
  const owners = [...node.addresses.values()].map(({ address, services, candidates }): OwnerStatus => {
    const owner = agreement.ownerOf(address);
    const interfaceIndexes = node.maps.get(address);
    return {
      address,
      services,
      owner: owner?.node ?? null,
      state: owner?.state ?? "nobody",
      term: owner?.term ?? 0,
      answersHere: links.voices
        .filter(({ port }) => interfaceIndexes.includes(port.interfaceIndex))
        .map(({ port }) => port.name),
      notHere: obstacle(node, address, self),
      unseenBy: living.find(({ unseen }) => unseen.has(address))?.name ?? null,
      candidates: candidates.map((candidate) => candidate.node),
    };
  });
  return {
    owners,
    members: [...agreement.roll.members.values()].map((member) => ({
      node: member.name,
      alive: member.alive,
      addresses: member.alive ? member.claims.size : 0,
      silentMilliseconds: Number.isFinite(member.lastHeard) ? Math.round(now - member.lastHeard) : null,
      held: member.isHeld(now),
    })),
    links: links.voices.map((voice) => ({
      interface: voice.port.name,
      carrier: voice.carrier,
      gateway: links.isGatewaySilent(voice, 4, now) || links.isGatewaySilent(voice, 6, now) ? "silent" : "not missed",
    })),
    announcementsSent: node.announcementsSent,
    heartbeatsSent: sockets?.sent ?? 0,
    heartbeatsReceived: sockets?.received ?? 0,
    heartbeatsRefused: sockets?.refused ?? 0,
    heartbeatsUnsent: sockets?.unsent ?? 0,
  };
}

function obstacle(node: AnnouncingNode, address: string, self: string): string | null {
  if (node.agreement.claims.has(address)) return null;
  const candidate = node.addresses.get(address)!.candidates.find((one) => one.node === self);
  if (candidate === undefined) return "no policy lets this node answer for it, or it has no endpoint here";
  if (node.usable(address).length === 0) {
    return `none of its interfaces (${candidate.interfaces.join(", ") || "none"}) has a carrier and is a port here`;
  }
  const owner = node.agreement.ownerOf(address);
  return owner === null ? "nobody owns it yet" : `${owner.node} owns it, and an owner keeps what it has`;
}
