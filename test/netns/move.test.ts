/** Routers that move a flow from one node to another in its middle: nothing of it is lost, and its pod sees no change. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { downloadSha256, uploadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { Lab } from "../lab/lab.ts";
import { routeVips, setSwitches, TWO_NODES_PLACES, type TwoNodes, twoNodes } from "../lab/two-nodes.ts";

const body = deterministicBody(TWENTY_MEGABYTES);
const bodySha256 = sha256(body);
/** Two seconds for the body. */
const PACE = { megabytesPerSecond: 10 };
const BEFORE_THE_MOVE_MILLISECONDS = 700;

let lab: Lab;
let network: TwoNodes;
let upload: string;

beforeAll(async () => {
  lab = new Lab("slm");
  network = await twoNodes(lab);
  upload = join(lab.folder, "upload");
  writeFileSync(upload, body);
});

afterAll(() => lab?.close());

interface Move {
  readonly name: string;
  readonly switches: Readonly<Record<string, string>>;
  readonly from: 1 | 2;
}

const dsr = (dispatch: string, from: 1 | 2): Move => ({
  name: `dsr by ${dispatch} from node${from}`,
  switches: { "bpf-lb-mode": "dsr", "bpf-lb-dsr-dispatch": dispatch },
  from,
});

const MOVES: readonly Move[] = [
  // Replies are translated at the pod's node, which has known the flow from its beginning.
  { name: "translation from node2", switches: { "sluice-source-nat": "none" }, from: 2 },
  dsr("opt", 1),
  dsr("ipip", 2),
  ...(process.env["SLUICE_LONG"] === "1" ? [dsr("opt", 2), dsr("ipip", 1)] : []),
];

describe.each(MOVES)("$name", ({ switches, from }) => {
  beforeAll(() => setSwitches(network, switches));

  test.each(TWO_NODES_PLACES)("IPv$family transfers go on, both ways", async ({ family, client, web }) => {
    const url = `http://${family === 4 ? web : `[${web}]`}`;
    const pods = network.far.map(({ pod }) => pod);
    const seenBefore = pods.map((pod) => pod.requests().length);
    const requestsAt = () =>
      network.gateways.map((gateway) =>
        gateway.status().services.reduce((sum, { requestPackets }) => sum + requestPackets, 0),
      );
    routeVips(network, from);
    const before = requestsAt();
    const transfers = [
      downloadSha256(network.client, `${url}/20mb`, PACE),
      uploadSha256(network.client, `${url}/upload`, upload, PACE),
    ];
    await sleep(BEFORE_THE_MOVE_MILLISECONDS);
    routeVips(network, from === 1 ? 2 : 1);
    expect(await Promise.all(transfers)).toEqual([bodySha256, bodySha256]);
    // Either node has had a good part of them.
    const taken = requestsAt().map((count, index) => count - before[index]!);
    expect(Math.min(...taken)).toBeGreaterThan(100);
    const clients = pods.flatMap((pod, index) => pod.requests().slice(seenBefore[index]));
    expect(clients.map((request) => request.client.replace("::ffff:", ""))).toEqual([client, client]);
  });
});
