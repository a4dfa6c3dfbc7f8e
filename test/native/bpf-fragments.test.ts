/** Fragments of replies, in both families: the first has the ports, the others follow it. */
import { beforeEach, describe, expect, test } from "vitest";
import { NEXT, openDoor, PASSES, TC_REDIRECT, XDP_REDIRECT } from "./door.ts";
import { TCP, UDP } from "./frames.ts";
import { DESTINATION_OPTIONS, fragmentHeader, framed, ipv4Packet, ipv6Packet, withPorts } from "./packets.ts";
import type { FlowKey } from "./reference-flow-table.ts";

const door = openDoor();
beforeEach(() => door.clear());

interface FragmentFields {
  readonly id?: number;
  readonly offset: number;
  readonly more: boolean;
  readonly source?: string;
  readonly destination?: string;
  readonly protocol?: number;
}

const FAMILIES = [
  {
    name: "IPv4",
    pod: "10.2.3.5",
    client: "198.51.100.7",
    other: "198.51.100.8",
    fragment({ id = 7, offset, more, ...ends }: FragmentFields & { source: string; destination: string }) {
      const field = (more ? 0x2000 : 0) | (offset / 8);
      return framed(ipv4Packet({ protocol: UDP, ...ends, id, fragment: field }, withPorts(53, 999, 64)));
    },
  },
  {
    name: "IPv6",
    pod: "2001:db8:90d::5",
    client: "2001:db8:c::7",
    other: "2001:db8:c::8",
    fragment({ id = 7, offset, more, ...ends }: FragmentFields & { source: string; destination: string }) {
      const extensions = [fragmentHeader(id, offset, more)];
      return framed(ipv6Packet({ protocol: UDP, ...ends, extensions }, withPorts(53, 999, 64)));
    },
  },
] as const;

describe.each(FAMILIES)("$name fragments", (family) => {
  const { pod, client, other } = family;
  const reply: FlowKey = { source: pod, destination: client, sourcePort: 53, destinationPort: 999, protocol: UDP };
  const fragment = (fields: FragmentFields) => family.fragment({ source: pod, destination: client, ...fields });
  const first = fragment({ offset: 0, more: true });
  const middle = fragment({ offset: 64, more: true });
  const last = fragment({ offset: 128, more: false });

  test("of a live reply follow their first one to the socket", () => {
    door.row(reply);
    expect(door.judge(first)).toEqual([XDP_REDIRECT, "redirectReply"]);
    for (const later of [middle, last]) expect(door.judge(later)).toEqual([XDP_REDIRECT, "redirectReplyFragment"]);
  });

  test("of a live reply follow their first one to the inside on egress", () => {
    door.row(reply);
    expect(door.judgeEgress(first)).toEqual([TC_REDIRECT, "egressReply", first]);
    for (const later of [middle, last]) {
      expect(door.judgeEgress(later)).toEqual([TC_REDIRECT, "egressReplyFragment", later]);
    }
  });

  test("that come before their first one pass", () => {
    door.row(reply);
    expect(door.judge(last)).toEqual(PASSES);
    expect(door.judgeEgress(last)).toEqual([...NEXT, last]);
  });

  test("of no live flow pass, and so do those that follow", () => {
    door.row({ ...reply, destinationPort: 998 });
    for (const each of [first, middle, last]) expect(door.judge(each)).toEqual(PASSES);
  });

  test.each([
    ["another id", { id: 8 }],
    ["another destination", { destination: other }],
    ["another source", { source: other }],
  ])("of %s belong to another packet", (_name, change) => {
    door.row(reply);
    door.judge(first);
    expect(door.judge(fragment({ offset: 128, more: false, ...change }))).toEqual(PASSES);
  });

  test("that came too long ago mean nothing: ids are used again", () => {
    door.row(reply);
    door.judge(first);
    const noted = door.object.map("reply_fragments");
    const [entry] = noted.entries();
    const seconds = new DataView(entry!.value.buffer, entry!.value.byteOffset);
    const now = seconds.getUint32(0, true);
    const age = (by: number) => {
      seconds.setUint32(0, now - by, true);
      noted.update(entry!.key, entry!.value);
    };
    age(25);
    expect(door.judge(last)).toEqual([XDP_REDIRECT, "redirectReplyFragment"]);
    age(32);
    expect(door.judge(last)).toEqual(PASSES);
  });

  test("leave no note when the packet is whole", () => {
    door.row(reply);
    door.judge(fragment({ offset: 0, more: false }));
    expect(door.object.map("reply_fragments").entries()).toHaveLength(0);
  });
});

describe("what names the packet of a fragment", () => {
  test("includes the protocol in IPv4", () => {
    const { pod, client, fragment } = FAMILIES[0];
    door.row({ source: pod, destination: client, sourcePort: 53, destinationPort: 999, protocol: UDP });
    door.judge(fragment({ source: pod, destination: client, offset: 0, more: true }));
    const tcp = fragment({ source: pod, destination: client, offset: 64, more: false, protocol: TCP });
    expect(door.judge(tcp)).toEqual(PASSES);
  });

  test("does not in IPv6, where options may stand between the fragment header and the ports", () => {
    const { pod, client } = FAMILIES[1];
    door.row({ source: pod, destination: client, sourcePort: 53, destinationPort: 999, protocol: UDP });
    const options = [DESTINATION_OPTIONS, [0, 0, 0, 0, 0, 0, 0]] as const;
    const ends = { source: pod, destination: client };
    const first = { ...ends, protocol: UDP, extensions: [fragmentHeader(7, 0, true), options] };
    const last = { ...ends, protocol: DESTINATION_OPTIONS, extensions: [fragmentHeader(7, 64, false)] };
    expect(door.judge(framed(ipv6Packet(first, withPorts(53, 999, 64))))[1]).toBe("redirectReply");
    expect(door.judge(framed(ipv6Packet(last, new Uint8Array(20))))[1]).toBe("redirectReplyFragment");
  });
});
