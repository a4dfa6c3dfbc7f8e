/**
 * The XDP program as it is taken by kernels before 5.18, without frames in several buffers and the helpers that read them:
 * it reads its frames in place and judges them as ever.
 */
import { beforeAll, expect, test } from "vitest";
import { attachXdp } from "../../src/xdp/attach.ts";
import { openDoor, PASSES, RESOLVE_ALL, SERVE, XDP_REDIRECT } from "./door.ts";
import { arpRequest, TCP } from "./frames.ts";
import { run } from "./own-namespace.ts";
import { DESTINATION_OPTIONS, framed, ipv6Packet, packet, withPorts } from "./packets.ts";

const door = openDoor(false);

beforeAll(() => {
  door.clear();
  door.own("192.0.2.1", SERVE | RESOLVE_ALL);
  door.own("2001:db8:1::1", SERVE);
});

const request4 = packet({ source: "198.51.100.7", destination: "192.0.2.1", protocol: TCP }, withPorts(4242, 80));
const stranger4 = packet({ source: "198.51.100.7", destination: "192.0.2.9", protocol: TCP }, withPorts(4242, 80));
const options6 = ipv6Packet(
  {
    ...{ source: "2001:db8::7", destination: "2001:db8:1::1", protocol: TCP },
    extensions: [[DESTINATION_OPTIONS, [0, 1, 4, 0, 0, 0, 0]]],
  },
  withPorts(4242, 80),
);

test("questions, requests, headers behind headers and strangers are told apart", () => {
  expect(door.judge(arpRequest("192.0.2.1"))).toEqual([XDP_REDIRECT, "redirectArp"]);
  expect(door.judge(framed(request4))).toEqual([XDP_REDIRECT, "redirectOwned"]);
  expect(door.judge(framed(options6))).toEqual([XDP_REDIRECT, "redirectOwned"]);
  expect(door.judge(framed(stranger4))).toEqual(PASSES);
});

test("a frame that ends anywhere is read no further", () => {
  const frame = framed(request4);
  for (let length = 14; length < frame.length; length++) {
    const [verdict] = door.judge(frame.slice(0, length));
    expect(verdict).toBe(length < 34 ? PASSES[0] : XDP_REDIRECT);
  }
});

test("the kernel does not put it where frames lie in several buffers", () => {
  for (const end of ["pa", "pb"]) run(`ip link set ${end} mtu 9000`);
  const attach = () =>
    attachXdp({ program: door.object.program("sluice_xdp"), interface: "pa", mode: "native" }).detach();
  expect(attach).toThrow();
  for (const end of ["pa", "pb"]) run(`ip link set ${end} mtu 1500`);
  expect(attach).not.toThrow();
});
