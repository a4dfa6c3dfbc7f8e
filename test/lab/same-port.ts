/**
 * A client that uses one port of its own for everything, to a VIP and directly to the pod that the VIP has given it, and
 * prints as JSON how it fared (`SamePort`). It closes first, so that the pod, if all goes well, remembers nothing.
 *
 *   same-port.ts PORT VIP NAME=ADDRESS...      the pods by what they answer, all on port 80
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Who has answered each time, and how long it took. */
export interface SamePort {
  readonly vip: string;
  readonly afterwards: string;
  readonly afterwardsMilliseconds: number;
  readonly vipAgain: string;
  /** The same while the VIP's connection was still open: nobody for as long as it was, */
  readonly beside: string | null;
  /** and then. */
  readonly besideAfterwards: string;
}

const OPEN_MILLISECONDS = 500;
const SETTLED_MILLISECONDS = 100;

if (import.meta.main) {
  const [port, vip, ...pods] = process.argv.slice(2);
  const addresses = new Map(pods.map((pod) => pod.split("=") as [string, string]));
  process.stdout.write(`${JSON.stringify(await useOnePort(Number(port), vip!, addresses))}\n`);
}

async function useOnePort(localPort: number, vip: string, pods: ReadonlyMap<string, string>): Promise<SamePort> {
  const first = await ask(localPort, vip);
  const pod = pods.get(first)!;
  // Its last acknowledgement is on its way to the pod, by another way than what goes there directly.
  await sleep(SETTLED_MILLISECONDS);
  const began = performance.now();
  const afterwards = await ask(localPort, pod);
  const afterwardsMilliseconds = performance.now() - began;
  const vipAgain = await ask(localPort, vip);
  const open = await connected(localPort, vip);
  const waiting = ask(localPort, pod);
  const beside = await Promise.race([waiting, sleep(OPEN_MILLISECONDS, null)]);
  open.end();
  return { vip: first, afterwards, afterwardsMilliseconds, vipAgain, beside, besideAfterwards: await waiting };
}

async function ask(localPort: number, address: string): Promise<string> {
  const socket = await connected(localPort, address);
  socket.end("GET / HTTP/1.1\r\nHost: same-port\r\n\r\n");
  let answer = "";
  for await (const bytes of socket) answer += bytes;
  return answer.trim().split("\n").at(-1)!;
}

function connected(localPort: number, address: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port: 80, localPort, allowHalfOpen: true });
    socket.once("connect", () => resolve(socket)).once("error", reject);
  });
}
