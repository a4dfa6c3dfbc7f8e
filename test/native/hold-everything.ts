/**
 * A process that holds one of each: memory, socket, programs on both hooks, maps, monitor, and a heart that beats at rest. It says "ready" and waits to
 * be killed. `node hold-everything.ts INTERFACE`
 */
import { attachEgress, attachXdp } from "../../src/xdp/attach.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { NetworkMirror } from "../../src/xdp/network-mirror.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { EventFd } from "../../src/xdp/wait.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { RestingHeart } from "./resting-heart.ts";
import { SMALL_RINGS } from "./traffic.ts";

const name = process.argv[2]!;
const object = BpfObject.load(undefined, { maxEntries: { flows: 16 } });
const held = [
  new XskSocket(new Umem({ frameCount: 64, frameSize: 2048 }), { interface: name, queue: 0, ...SMALL_RINGS }),
  attachXdp({ program: object.program("sluice_xdp"), interface: name, mode: "native" }),
  attachEgress({ program: object.program("sluice_egress"), interface: name }),
  object.map("flows").mmap(),
  new NetworkMirror(),
  new EventFd(),
];
const heart = new RestingHeart("127.0.6.3", 19_475);
heart.rest([heart.address], ["b"]);
process.stdout.write("ready\n");
setInterval(() => [held, heart].length, 1000);
