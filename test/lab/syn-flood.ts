/**
 * A flood of SYNs from random sources, sent by an AF_XDP socket, as a program of its own: started in the namespace that
 * the flood comes from.
 *
 *     node syn-flood.ts DEVICE ROUTER-MAC VIP PORT FRAMES-A-SECOND
 */
import { setTimeout as sleep } from "node:timers/promises";
import { delta32, fold } from "../../src/wire/checksum.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { segmentFrame } from "../fixtures/segments.ts";

const FRAMES = 256;
const FRAME_SIZE = 2048;
const TICK_MILLISECONDS = 2;
const SYN = 2;
const [SOURCE, TRANSPORT] = [26, 34];
const [HEADER_SUM, TCP_SUM] = [24, TRANSPORT + 16];

export function synFlood(
  device: string,
  routerMac: string,
  vip: string,
  port: number,
  framesPerSecond: number,
): string[] {
  return [process.execPath, import.meta.filename, device, routerMac, vip, String(port), String(framesPerSecond)];
}

async function flood(device: string, routerMac: string, vip: string, port: number, framesPerSecond: number) {
  const umem = new Umem({ frameCount: FRAMES, frameSize: FRAME_SIZE });
  const rings = { rxSize: 64, txSize: FRAMES, fillSize: 64, completionSize: FRAMES } as const;
  const xsk = new XskSocket(umem, { interface: device, queue: 0, bind: "copy", ...rings });
  const template = segmentFrame({
    ...{
      destinationMac: routerMac,
      sourceMac: "02:00:00:00:00:01",
      source: "0.0.0.0",
      sourcePort: 0,
      payload: new Uint8Array(0),
    },
    ...{ destination: vip, destinationPort: port, protocol: "TCP", flags: SYN },
  });
  for (let frame = 0; frame < FRAMES; frame++) umem.bytes.set(template, frame * FRAME_SIZE);
  const sum = (at: number) => ~umem.view.getUint16(at, true) & 0xffff;
  const [headerSum, tcpSum] = [sum(HEADER_SUM), sum(TCP_SUM)];
  let free = FRAMES;
  let next = 0;
  for (let due = 0; ; due -= Math.min(due, free)) {
    due += (framesPerSecond * TICK_MILLISECONDS) / 1000;
    const count = xsk.tx.reserve(Math.min(Math.floor(due), free));
    for (let i = 0; i < count; i++) {
      const at = (next++ % FRAMES) * FRAME_SIZE;
      // 11.0.0.0/8: nobody's in any lab.
      const source = 11 | (Math.floor(Math.random() * 0x1000000) << 8);
      const sourcePort = 1024 + Math.floor(Math.random() * 60_000);
      umem.view.setInt32(at + SOURCE, source, true);
      umem.view.setUint16(at + TRANSPORT, sourcePort, true);
      const address = delta32(0, source);
      umem.view.setUint16(at + HEADER_SUM, ~fold(headerSum + address) & 0xffff, true);
      umem.view.setUint16(at + TCP_SUM, ~fold(tcpSum + address + sourcePort) & 0xffff, true);
      const descriptor = xsk.tx.index(i) * 4;
      xsk.tx.descriptors[descriptor] = at;
      xsk.tx.descriptors[descriptor + 2] = template.length;
    }
    if (count > 0) xsk.tx.submit(count);
    free -= count;
    while (xsk.kick());
    const done = xsk.completion.peek(FRAMES);
    if (done > 0) xsk.completion.release(done);
    free += done;
    await sleep(TICK_MILLISECONDS);
  }
}

if (import.meta.main) {
  const [device, routerMac, vip, port, rate] = process.argv.slice(2);
  await flood(device!, routerMac!, vip!, Number(port), Number(rate));
}
