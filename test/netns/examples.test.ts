/**
 * Every example of `--help`, README and docs, typed as it stands by somebody on a node of a network as they describe it
 * (test/lab/examples-network.ts): what it prints, and how it ends. test/fixtures/examples.ts says what is expected, and
 * which can't be typed here.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TYPED, type Typed } from "../fixtures/examples.ts";
import { curl } from "../lab/curl.ts";
import { ExamplesNetwork } from "../lab/examples-network.ts";
import { Lab } from "../lab/lab.ts";
import { waitFor } from "../lab/wait-for.ts";

const VIP = "http://192.168.10.100/";
/** For those that nothing has to be waited for. */
const LOOK_MILLISECONDS = 2000;

let lab: Lab;
let network: ExamplesNetwork;
let traffic: NodeJS.Timeout;

beforeAll(async () => {
  lab = new Lab("slx");
  network = await ExamplesNetwork.start(lab);
  await waitFor("the client to be served", () => curl(network.client, VIP).error === "", { timeoutSeconds: 40 });
  recordCapture();
  traffic = setInterval(() => void network.client.tryLater(["curl", "-s", "--max-time", "1", VIP]), 300);
}, 120_000);

afterAll(async () => {
  clearInterval(traffic);
  network?.close();
  await lab?.close();
});

/** What `sluice replay --pcap` is given: frames that the node has seen. */
function recordCapture(): void {
  const words = [
    "tcpdump",
    "-Z",
    "root",
    "-U",
    "-i",
    "eth0",
    "-c",
    "3",
    "-w",
    `${network.folder}/in.pcap`,
    "tcp",
    "port",
    "80",
  ];
  const tcpdump = network.client.start("tcpdump", words);
  for (let round = 0; round < 20 && tcpdump.exit() === null; round++) {
    network.client.try(["sleep", "0.2"]);
    curl(network.client, VIP);
  }
}

test.each(Object.entries(TYPED))(
  "%s",
  async (line, { as = line, on = "node1", exit = 0, until, prints }: Typed) => {
    if (exit === 0 && until === undefined) {
      const { status, stdout, stderr } = await network.node(on).tryLater(network.typed(on, as), { timeoutSeconds: 40 });
      expect(stdout, stderr).toMatch(prints);
      expect({ status, stderr }).toMatchObject({ status: 0 });
      return;
    }
    const started = network.start(on, as);
    await sleep(LOOK_MILLISECONDS);
    const isSeen = () => started.exit() !== null || until === undefined || until.test(started.log());
    await waitFor(`what it prints`, isSeen, { timeoutSeconds: 30, seen: () => started.log() });
    expect(started.exit(), started.log()).toBeNull();
    const ended = await started.stop("SIGINT");
    expect(started.log()).toMatch(prints);
    expect(ended, started.log()).toEqual(
      exit === "SIGINT" ? { code: null, signal: "SIGINT" } : { code: 0, signal: null },
    );
  },
  60_000,
);
