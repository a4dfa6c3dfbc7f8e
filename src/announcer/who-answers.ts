/** A live question on the links: who answers for an address? */
import { type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import { formatMac } from "../net/mac.ts";
import type { WhoAnswer } from "./announcer-message.ts";
import type { AnnouncingNode } from "./announcing-node.ts";

const ASK_TIMES = 3;
const WAIT_MILLISECONDS = 200;

/** Everybody who answers within 600 ms, each MAC once per interface; this node's own answer it can't hear. */
export async function whoAnswers(node: AnnouncingNode, address: string): Promise<WhoAnswer[]> {
  const target = parseIpAddress(address);
  if (target === null) return [];
  const answers = new Map<string, WhoAnswer>();
  const stop = node.onClaim((interfaceName, claim) => {
    if (!isSame(claim.address, target)) return;
    const mac = formatMac(claim.mac);
    answers.set(`${interfaceName} ${mac}`, { interface: interfaceName, mac, node: node.nodeOf(claim.mac) });
  });
  for (let asked = 0; asked < ASK_TIMES; asked++) {
    for (const voice of node.links.voices) voice.ask(target, null);
    await new Promise((resolve) => setTimeout(resolve, WAIT_MILLISECONDS));
  }
  node.hearLinks(performance.now());
  stop();
  return [...answers.values()];
}

function isSame(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.value === b.value;
}
