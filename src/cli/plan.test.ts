import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runPlan } from "./plan.ts";

const SEED = join(import.meta.dirname, "../../test/data/manifests/seed-a");

describe("sluice plan", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "sluice-plan-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const file = async (name: string, text: string) => {
    await writeFile(join(directory, name), text);
    return join(directory, name);
  };
  const service = (name: string, ingress = "") =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n` +
    `status: {loadBalancer: {ingress: [${ingress === "" ? "" : `{ip: ${ingress}}`}]}}\n`;
  const pool = (cidr: string) =>
    `apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: p}\nspec: {blocks: [{cidr: ${cidr}}]}\n`;

  test("announces the printed route of the first document", async () => {
    const { exitCode, stdout, stderr } = await runPlan({ paths: [SEED], output: "json", against: [] });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const planned = JSON.parse(stdout);
    expect(planned.services["default/my-service"]).toMatchObject({
      ingress: ["192.168.10.100"],
      pool: "seed-a-pool",
      eligibleNodes: ["node1"],
    });
    expect(planned.nodes.node1.bgp).toMatchObject([
      {
        localASN: 65000,
        routerID: "10.1.1.2",
        listen: null,
        peers: [
          {
            address: "192.168.1.1",
            port: 179,
            asn: 65001,
            routes: [
              {
                prefix: "192.168.10.100/32",
                nextHop: "10.1.1.2",
                asPath: [65000],
                localPreference: null,
                communities: [],
                largeCommunities: [],
              },
            ],
          },
        ],
      },
    ]);
    expect(planned).toMatchObject({ l2Owners: {}, problems: [] });
  });

  test("prints a table of at most 100 columns", async () => {
    const long = service("the-service-with-a-name-that-is-longer-than-anyone-would-want-to-type-every-day-of-the-week");
    const paths = [SEED, await file("long.yaml", long)];
    const { stdout } = await runPlan({ paths, output: "table", against: [] });
    expect(stdout).toMatch(/default\/my-service +192\.168\.10\.100 +seed-a-pool +node1 +satisfied/);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  test("exits with 1 and names file, line and field of what cannot be read, and plans the rest", async () => {
    const wrong = await file("wrong.yaml", `${pool("10.0.0.0/99")}---\n${service("a")}`);
    const { exitCode, stdout, stderr } = await runPlan({ paths: [wrong, SEED], output: "json", against: [] });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${wrong}:4: CiliumLoadBalancerIPPool/p spec.blocks[0].cidr: must be a CIDR`);
    expect(Object.keys(JSON.parse(stdout).services)).toEqual(["default/a", "default/my-service"]);
    expect(JSON.parse(stdout).problems[0]).toMatchObject({
      object: "CiliumLoadBalancerIPPool/p",
      field: "spec.blocks[0].cidr",
    });
  });

  test("exits with 1 for a path that is not there", async () => {
    const { exitCode, stderr } = await runPlan({ paths: [join(directory, "none")], output: "json", against: [] });
    expect(exitCode).toBe(1);
    expect(stderr).toBe(`${join(directory, "none")}: does not exist\n`);
  });

  test("exits with 2 when a live address would move, and shows which", async () => {
    const live = await file("live.yaml", `${pool("10.0.0.0/24")}---\n${service("a", "10.0.0.7")}`);
    const wanted = await file("wanted.yaml", `${pool("10.0.1.0/24")}---\n${service("a")}`);
    const { exitCode, stdout } = await runPlan({ paths: [wanted], output: "json", against: [live] });
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout).difference).toMatchObject({
      addresses: [{ service: "default/a", before: ["10.0.0.7"], after: ["10.0.1.0"] }],
      moves: true,
    });
  });

  test("keeps live addresses although the new manifests say nothing of them", async () => {
    const live = await file("live.yaml", `${pool("10.0.0.0/24")}---\n${service("b", "10.0.0.7")}`);
    const wanted = await file("wanted.yaml", `${pool("10.0.0.0/16")}---\n${service("b")}---\n${service("a")}`);
    const { exitCode, stdout } = await runPlan({ paths: [wanted], output: "json", against: [live] });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout).services["default/b"].ingress).toEqual(["10.0.0.7"]);
  });

  test("gives the same answer each time", async () => {
    const once = await runPlan({ paths: [SEED], output: "json", against: [] });
    expect(await runPlan({ paths: [SEED], output: "json", against: [] })).toEqual(once);
  });
});
