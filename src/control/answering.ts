/** On which interfaces a node may answer for its addresses, as the datapath needs it; when it does, the nodes agree on. */
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import type { L2Address } from "./l2-addresses.ts";

export function withAnswers(spec: ForwardingSpec, links: readonly L2Address[], nodeName: string): ForwardingSpec {
  const interfaces = new Map(
    links.map(({ address, candidates }) => [address, candidates.find(({ node }) => node === nodeName)?.interfaces]),
  );
  return {
    ...spec,
    owned: spec.owned.map((own) => ({
      ...own,
      answerOn: interfaces.get(formatIpAddress(own.address)) ?? own.answerOn,
    })),
  };
}
