/**
 * Traffic from the router to the VIP, with a second path for it that is taken when the first has no route any more:
 *
 *    router                                      node
 *    sender  to-node 10.1.1.1 ====BGP, BFD==== 10.1.1.2 net0   receiver at the VIP, on lo
 *            backup  10.1.2.1 ---------------- 10.1.2.2 net1
 *            static route to the VIP, of a metric above that of any router daemon
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Namespace } from "../lab/namespace.ts";
import { waitFor } from "../lab/wait-for.ts";
import { NODE, type PeerLab, VIP } from "./peer-lab.ts";

const PORT = "7000";
/** FRR reads an administrative distance in the upper eight bits of a kernel route's metric: 200 is behind BGP's 20. */
const BACKUP_METRIC = (200 << 24) >>> 0;
const STREAM = fileURLToPath(new URL("./udp-stream.ts", import.meta.url));

interface Gap {
  readonly longestGapMilliseconds: number;
  readonly count: number;
}

/**
 * Loses the first path while the speaker's main thread stands still most of the time, as soon as a route leads by it.
 * @returns the longest pause in the traffic, and how many datagrams came before and after.
 */
export async function failOverWhileBlocked(
  net: PeerLab,
): Promise<{ before: number; longestGapMilliseconds: number; after: number }> {
  const isFirst = () => net.kernelRoute(VIP).includes(`via ${NODE}`);
  await waitFor("the route", isFirst);
  const paths = new TwoPaths(net);
  try {
    const blocked = (async () => {
      for (let i = 0; i < 10; i++) await net.speaker.block(250);
    })();
    await sleep(500);
    await paths.gap();
    await sleep(500);
    const { count: before } = await paths.gap();
    await waitFor("the first path to be in use", isFirst);
    paths.loseFirstPath(true);
    await waitFor("the route to go", () => !isFirst());
    await sleep(300);
    const { longestGapMilliseconds, count: after } = await paths.gap();
    await blocked;
    return { before, longestGapMilliseconds, after };
  } finally {
    paths.loseFirstPath(false);
    paths.stop();
  }
}

class TwoPaths {
  readonly #net: PeerLab;
  readonly #sender: ChildProcess;
  readonly #receiver: ChildProcess;
  #take: (gap: Gap) => void = () => {};

  constructor(net: PeerLab) {
    this.#net = net;
    const { router, node } = net;
    net.lab.connect(
      { namespace: router, device: "backup", addresses: ["10.1.2.1/24"] },
      { namespace: node, device: "net1", addresses: ["10.1.2.2/24"] },
    );
    router.ip(`route add ${VIP} via 10.1.2.2 metric ${BACKUP_METRIC}`);
    node.ip(`addr add ${VIP} dev lo`);
    this.#receiver = start(node, "receive", PORT);
    createInterface({ input: this.#receiver.stdout! }).on("line", (line) => this.#take(JSON.parse(line) as Gap));
    this.#sender = start(router, "send", VIP.split("/")[0]!, PORT);
  }

  /** The longest pause in the traffic since the last question. */
  gap(): Promise<Gap> {
    return new Promise((resolve) => {
      this.#take = resolve;
      this.#receiver.stdin!.write("\n");
    });
  }

  /** The first path loses every packet in both directions; no interface goes down, so nobody is told. */
  loseFirstPath(lost: boolean): void {
    const drop = (hook: string, device: string) =>
      `add chain inet lost ${hook} { type filter hook ${hook} priority 0; }; add rule inet lost ${hook} ${device} to-node drop`;
    const rules = `add table inet lost; ${drop("input", "iifname")}; ${drop("output", "oifname")}`;
    this.#net.router.try(["nft", lost ? rules : "delete table inet lost"]);
  }

  stop(): void {
    this.#sender.kill("SIGKILL");
    this.#receiver.kill("SIGKILL");
    this.#net.router.ip("link del backup");
    this.#net.node.ip(`addr del ${VIP} dev lo`);
  }
}

function start(namespace: Namespace, ...words: string[]): ChildProcess {
  const [enter, ...rest] = namespace.entered([process.execPath, STREAM, ...words]);
  return spawn(enter!, rest, { stdio: ["pipe", "pipe", "inherit"] });
}
