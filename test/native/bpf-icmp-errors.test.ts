/** ICMP errors of the inside about requests that were translated, in both families: XDP on inner ports, tc on egress. */
import { beforeEach, describe, expect, test } from "vitest";
import { NEXT, openDoor, PASSES, SERVE, TC_REDIRECT, XDP_REDIRECT } from "./door.ts";
import { TCP, UDP } from "./frames.ts";
import {
  DESTINATION_OPTIONS,
  fragmentHeader,
  framed,
  HOP_BY_HOP,
  ICMP,
  ICMPV6,
  icmpError,
  ipv4Packet,
  ipv6Packet,
  packet,
  withPorts,
} from "./packets.ts";
import type { FlowKey } from "./reference-flow-table.ts";

const door = openDoor();
beforeEach(() => door.clear());

const FAMILIES = [
  {
    name: "IPv4",
    pod: "10.2.3.5",
    client: "198.51.100.7",
    router: "10.2.0.1",
    icmp: ICMP,
    headerBytes: 20,
    errors: [3, 11, 12],
    others: [0, 4, 5, 8, 13],
  },
  {
    name: "IPv6",
    pod: "2001:db8:90d::5",
    client: "2001:db8:c::7",
    router: "2001:db8:90d::1",
    icmp: ICMPV6,
    headerBytes: 40,
    errors: [1, 2, 3, 4],
    others: [0, 5, 128, 129, 136],
  },
] as const;

function expectError(frame: Uint8Array): void {
  expect(door.judge(frame)).toEqual([XDP_REDIRECT, "redirectReplyError"]);
  expect(door.judgeEgress(frame)).toEqual([TC_REDIRECT, "egressReplyError", frame]);
}

function expectNotOurs(frame: Uint8Array): void {
  expect(door.judge(frame)).toEqual(PASSES);
  expect(door.judgeEgress(frame)).toEqual([...NEXT, frame]);
}

describe.each(FAMILIES)("an $name error about a translated request", (family) => {
  const { pod, client, router, icmp, headerBytes } = family;
  /** What the request has become: it goes to the pod. */
  const request = { source: client, destination: pod, protocol: TCP };
  const reply: FlowKey = { source: pod, destination: client, sourcePort: 8080, destinationPort: 4242, protocol: TCP };
  const about = (quote: Uint8Array, type: number = family.errors[0], source: string = router) =>
    framed(packet({ source, destination: client, protocol: icmp }, icmpError(type, quote)));
  const quoted = packet(request, withPorts(4242, 8080));

  beforeEach(() => {
    door.row(reply);
  });

  test.each(family.errors)("of type %i goes to the socket", (type) => {
    expectError(about(quoted, type));
  });

  test.each(family.others)("of type %i is no error, and passes", (type) => {
    expectNotOurs(about(quoted, type));
  });

  test("may come from the pod itself", () => {
    expectError(about(quoted, family.errors[0], pod));
  });

  test("may quote eight bytes behind the IP header, or just the ports", () => {
    expectError(about(quoted.slice(0, headerBytes + 8)));
    expectError(about(quoted.slice(0, headerBytes + 4)));
  });

  test("may quote UDP", () => {
    door.row({ ...reply, protocol: UDP });
    expectError(about(packet({ ...request, protocol: UDP }, withPorts(4242, 8080, 8))));
  });

  test("passes when it quotes less than the ports", () => {
    expectNotOurs(about(quoted.slice(0, headerBytes + 3)));
    expectNotOurs(about(quoted.slice(0, headerBytes - 1)));
    expectNotOurs(about(new Uint8Array(0)));
  });

  test("passes when it quotes a packet of the other direction, or of no flow", () => {
    expectNotOurs(about(packet({ source: pod, destination: client, protocol: TCP }, withPorts(8080, 4242))));
    expectNotOurs(about(packet(request, withPorts(4243, 8080))));
    expectNotOurs(about(packet(request, withPorts(8080, 4242))));
    expectNotOurs(about(packet({ ...request, protocol: icmp }, withPorts(4242, 8080))));
  });

  test("passes when the reply row is not live", () => {
    door.clear();
    door.row(reply, { live: false, reply: true });
    expectNotOurs(about(quoted));
  });

  test("goes to the socket by its destination alone when that is served", () => {
    door.own(client, SERVE);
    expect(door.judge(about(packet(request, withPorts(1, 2))))).toEqual([XDP_REDIRECT, "redirectOwned"]);
    door.own(client, 0);
  });
});

describe("the quote", () => {
  test("may have IPv4 options", () => {
    const flow = {
      source: "10.2.3.5",
      destination: "198.51.100.7",
      sourcePort: 53,
      destinationPort: 999,
      protocol: UDP,
    };
    door.row(flow);
    const ends = { source: flow.destination, destination: flow.source, protocol: UDP };
    const error = (quote: Uint8Array, options: number[] = []) =>
      framed(
        ipv4Packet({ source: "10.2.0.1", destination: flow.destination, protocol: ICMP, options }, icmpError(3, quote)),
      );
    const forty = new Array<number>(40).fill(1);
    expectError(error(ipv4Packet({ ...ends, options: forty }, withPorts(999, 53, 8))));
    expectError(error(ipv4Packet({ ...ends, options: forty }, withPorts(999, 53, 8)), forty));
    expectError(error(ipv4Packet({ ...ends, fragment: 0x2000 }, withPorts(999, 53, 8))));
    // Not even when there is a flow without ports, as the middle of a packet seems to have.
    door.row({ ...flow, sourcePort: 0, destinationPort: 0 });
    expectNotOurs(error(ipv4Packet({ ...ends, fragment: 0x2001 }, withPorts(999, 53, 8))));
  });

  test("may have IPv6 extension headers", () => {
    const flow = {
      source: "2001:db8:90d::5",
      destination: "2001:db8:c::7",
      sourcePort: 53,
      destinationPort: 999,
      protocol: UDP,
    };
    door.row(flow);
    const ends = { source: flow.destination, destination: flow.source, protocol: UDP };
    const options = [0, 0, 0, 0, 0, 0, 0];
    const error = (quote: Uint8Array) =>
      framed(
        ipv6Packet(
          {
            source: "2001:db8:90d::1",
            destination: flow.destination,
            protocol: ICMPV6,
            extensions: [[HOP_BY_HOP, options]],
          },
          icmpError(2, quote),
        ),
      );
    const behind = (...extensions: (readonly [number, readonly number[]])[]) =>
      error(ipv6Packet({ ...ends, extensions }, withPorts(999, 53, 8)));
    expectError(behind());
    expectError(behind([DESTINATION_OPTIONS, options], fragmentHeader(5, 0, true)));
    expectNotOurs(behind(fragmentHeader(5, 1280, true)));
  });
});
