import { describe, expect, test } from "vitest";
import { CLIENT, node, POD, RECEIVER, ROUTER_MAC, SENDER, SENDER_MAC, VIPS } from "../../test/fixtures/dsr-nodes.ts";
import { POD_PORT, PORT } from "../../test/fixtures/dsr-spec.ts";
import { segmentFrame } from "../../test/fixtures/segments.ts";
import type { AdoptedIds } from "../dataplane/id-registry.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { adoptIds } from "./takeover.ts";

const SYN = segmentFrame({
  ...{ destinationMac: SENDER_MAC, sourceMac: ROUTER_MAC, protocol: "TCP", flags: 0x02 },
  ...{ source: CLIENT[4], destination: VIPS[4], sourcePort: 40_000, destinationPort: PORT },
});

/** A flow of direct server return, at the node that sends it on or at the pod's; and what a next process makes of it. */
function takenOver(place: typeof SENDER | typeof RECEIVER) {
  const sender = node(SENDER, { mode: "dsr-opt" });
  const receiver = node(RECEIVER, { mode: "dsr-opt" });
  receiver.take(sender.take(SYN).frame);
  const { flows4 } = place === SENDER ? sender : receiver;
  const adopted: AdoptedIds[] = [];
  const flows = adoptIds([flows4], { adopt: (ids) => adopted.push(ids) }, 1);
  const isLeft = Array.from({ length: flows4.words.length / flows4.layout.words }).some((_, index) =>
    flows4.isLive(index * flows4.layout.words),
  );
  return { flows, isLeft, adopted };
}

describe("a flow of direct server return that a process finds at its start", () => {
  test("goes on at the pod's node: the row of its replies tells for which address it is", () => {
    const { flows, isLeft, adopted } = takenOver(RECEIVER);
    expect({ flows, isLeft }).toEqual({ flows: 1, isLeft: true });
    const places = adopted.map(({ vip, backend }) =>
      [vip, backend].map(({ address, port }) => `${formatIpAddress(address)} ${port}`),
    );
    expect(places).toEqual([[`${VIPS[4]} ${PORT}`, `${POD[4]} ${POD_PORT}`]]);
  });

  test("ends where it was sent on, to be opened anew", () => {
    expect(takenOver(SENDER)).toEqual({ flows: 0, isLeft: false, adopted: [] });
  });
});
