/** The sockets' common suite over real ones: two ends of a veth. */
import { Umem } from "../../src/xdp/umem.ts";
import { poll } from "../../src/xdp/wait.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { moveIntoOwnNamespace, vethPair } from "./own-namespace.ts";
import { describeSockets, SUITE_RING_SIZE } from "./socket-suite.ts";
import { SMALL_RINGS, steer } from "./traffic.ts";

moveIntoOwnNamespace();
vethPair("sa", "sb");

if (SMALL_RINGS.rxSize !== SUITE_RING_SIZE) throw new Error("the suite's rings have another size");

for (const mode of ["generic", "native"] as const) {
  describeSockets(`real sockets, ${mode} XDP`, () => {
    const senderMemory = new Umem({ frameCount: 128, frameSize: 2048 });
    const receiverMemory = new Umem({ frameCount: 128, frameSize: 2048 });
    const sender = new XskSocket(senderMemory, { interface: "sa", queue: 0, ...SMALL_RINGS });
    const receiver = new XskSocket(receiverMemory, { interface: "sb", queue: 0, ...SMALL_RINGS });
    const steering = steer(receiver, "192.0.2.1", mode);
    return {
      sender,
      senderBytes: senderMemory.bytes,
      receiver,
      receiverBytes: receiverMemory.bytes,
      // A veth hands frames over in a soft interrupt on this very core, within the send or right after it.
      settle: () => poll(new Int32Array(0), 0, 5),
      close() {
        steering.close();
        for (const one of [sender, receiver, senderMemory, receiverMemory]) one.close();
      },
    };
  });
}
