/** A pod that is taken out of service under load: what it has begun it ends, and no request is lost. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { curl, downloadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { Lab } from "../lab/lab.ts";
import { listFar1, setSwitches, TWO_NODES_PLACES, type TwoNodes, twoNodes } from "../lab/two-nodes.ts";
import { waitFor } from "../lab/wait-for.ts";

const bodySha256 = sha256(deterministicBody(TWENTY_MEGABYTES));
const LOAD_SECONDS = 8;
/** Five seconds for the body: it lasts beyond the change. */
const PACE = { megabytesPerSecond: 4 };

let lab: Lab;
let network: TwoNodes;

beforeAll(async () => {
  lab = new Lab("slr");
  network = await twoNodes(lab);
});

afterAll(() => lab?.close());

const MODES = [
  { name: "snat", switches: { "bpf-lb-mode": "snat" } },
  { name: "dsr", switches: { "bpf-lb-mode": "dsr" } },
];

describe.each(MODES)("$name", ({ switches }) => {
  beforeAll(() => setSwitches(network, switches));

  test.each(TWO_NODES_PLACES)("a pod that drains loses nothing under IPv$family load", async ({ family, web }) => {
    const url = `http://${family === 4 ? web : `[${web}]`}`;
    const [draining, staying] = network.far.map(({ pod }) => pod);
    const downloads = Array.from({ length: 4 }, () => downloadSha256(network.client, `${url}/20mb`, PACE));
    const wrk = ["wrk", "-t", "1", "-c", "8", "-d", `${LOAD_SECONDS}s`, `${url}/`];
    const load = network.client.tryLater(wrk, { timeoutSeconds: 30 });
    await sleep(1500);
    listFar1(network, "draining");
    try {
      const requests = () => [draining!, staying!].map((pod) => pod.requests().length) as [number, number];
      await waitFor("the load to be the other pod's alone", async () => {
        const [drainingSaw, stayingSaw] = requests();
        await sleep(300);
        const [drainingSees, stayingSees] = requests();
        return drainingSees === drainingSaw && stayingSees > stayingSaw + 5;
      });
      const { stdout } = await load;
      expect(stdout).toMatch(/^ +\d+ requests in/m);
      expect(stdout).not.toMatch(/Socket errors|Non-2xx/);
      expect(await Promise.all(downloads)).toEqual(Array(4).fill(bodySha256));
    } finally {
      listFar1(network, "ready");
      // The next load begins with both.
      await waitFor("the pod to be back", () => {
        const answers = Array.from({ length: 8 }, () => curl(network.client, `${url}/`).body);
        return answers.includes("far1");
      });
    }
  });
});
