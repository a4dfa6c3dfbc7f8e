/**
 * Addresses on a link whose nodes have what they know from a real API server: the record that is kept there of owners,
 * what that costs at rest, and a takeover while there is no API server at all.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { openDoors } from "../lab/api-doors.ts";
import { curl } from "../lab/curl.ts";
import { HttpProber } from "../lab/http-prober.ts";
import {
  agreed,
  followed,
  type L2Segment,
  l2Segment,
  l2Status,
  services,
  startGateway,
  startGateways,
  stopGateway,
  VIP_COUNT,
  WEB,
} from "../lab/l2-segment.ts";
import { Lab } from "../lab/lab.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";

const MANIFESTS = join(import.meta.dirname, "../data/manifests/l2-segment");
const OUTAGE_MILLISECONDS = 1000;
const REST_MILLISECONDS = 12_000;
/** A node writes one record in ten seconds when it has many to write. */
const RECORDED = { timeoutSeconds: 90, everyMilliseconds: 1000 };

interface Lease {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly spec: { readonly holderIdentity?: string };
}

interface NodeManifest {
  readonly metadata: { readonly name: string };
  readonly status: object;
}

let lab: Lab;
let segment: L2Segment;
let server: ApiServer;

beforeAll(async () => {
  lab = new Lab("slk3");
  segment = await l2Segment(lab);
  server = await ApiServer.start({ flags: ["--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112"] });
  lab.onClose(() => server.end());
  const onLink = segment.nodes.slice(0, 3);
  await openDoors(
    lab,
    server.port,
    onLink.map(({ namespace }) => namespace),
  );
  const nodes = parseAllDocuments(readFileSync(join(MANIFESTS, "nodes.yaml"), "utf8"));
  for (const { status, ...node } of nodes.map((document) => document.toJS() as NodeManifest)) {
    server.apply(node);
    server.setStatus("node", node.metadata.name, status);
  }
  server.kubectl(
    ...["create", "configmap", "cilium-config", "-n", "kube-system"],
    "--from-literal=enable-l2-announcements=true",
  );
  server.apply(readFileSync(join(MANIFESTS, "policy.yaml"), "utf8"));
  server.apply({ apiVersion: "v1", kind: "List", items: services(VIP_COUNT) });
  segment.source = (node) => ({
    cluster: ["--kubernetes", "--kubeconfig", server.kubeconfig, "--state", join(lab.folder, `${node}-state.json`)],
  });
  await startGateways(segment, onLink);
}, 180_000);
afterAll(() => lab.close());

function leases(): Lease[] {
  const { items } = JSON.parse(server.kubectl("get", "leases", "-A", "-o", "json")) as { items: Lease[] };
  return items;
}

/** Who holds the Leases of Cilium's names, by Service. */
function holders(): Record<string, string | undefined> {
  const own = leases().filter(({ metadata }) => metadata.name.startsWith("cilium-l2announce-default-"));
  return Object.fromEntries(
    own.map(({ metadata, spec }) => [metadata.name.replace("cilium-l2announce-default-", ""), spec.holderIdentity]),
  );
}

/** The owners of the Services' first addresses, as the nodes have agreed on them. */
async function owners(): Promise<Record<string, string | undefined>> {
  const all = await agreed(segment, 30);
  const names = Array.from({ length: VIP_COUNT }, (_, index) => [
    `web${index || ""}`,
    all.get(`10.0.5.${100 + index}`),
  ]);
  return Object.fromEntries(names) as Record<string, string | undefined>;
}

/** Resolves when each Lease is held by the owner of its Service. */
async function recorded(): Promise<void> {
  let seen = "";
  const isRecorded = async () => {
    const [held, owned] = [holders(), await owners()];
    seen = JSON.stringify({ held, owned });
    return Object.keys(owned).every((name) => held[name] === owned[name]);
  };
  await waitFor("the Leases to name the owners", isRecorded, { ...RECORDED, seen: () => seen });
}

test("each Service's Lease has Cilium's name and is held by the owner", { timeout: 120_000 }, async () => {
  await recorded();
  expect(Object.keys(holders()).sort()).toEqual(Object.keys(await owners()).sort());
});

test("at rest nothing is written for ownership", { timeout: 90_000 }, async () => {
  const versions = () => new Map(leases().map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
  const before = { versions: versions(), services: server.kubectl("get", "services", "-o", "json") };
  await sleep(REST_MILLISECONDS);
  const after = versions();
  const written = [...after].filter(([name, version]) => before.versions.get(name) !== version).map(([name]) => name);
  // Who gives addresses holds one, by which this test sees that it would notice.
  expect(written).toContain("sluice-ipam");
  expect(written.filter((name) => name.startsWith("cilium-l2announce-"))).toEqual([]);
  expect(server.kubectl("get", "services", "-o", "json")).toBe(before.services);
});

test("an owner that dies while the API server is away is followed within a second", { timeout: 150_000 }, async () => {
  for (const node of segment.nodes.slice(0, 3)) if (node.gateway === null) await startGateway(segment, node);
  const probers = [segment.client, segment.far].map((from) => new HttpProber(from, `http://${WEB[4]}/`));
  await Promise.all(probers.map((prober) => prober.answered()));
  await server.kill();
  const before = (await agreed(segment, 30)).get(WEB[4]);
  const owner = segment.nodes.find(({ name }) => name === before)!;
  const moment = Date.now();
  await stopGateway(owner, "SIGKILL");
  const gone = Date.now();
  await followed(segment, WEB[4], owner.name);
  const took = Date.now() - moment;
  const waits = await Promise.all(probers.map((prober) => prober.answeredAfter(gone)));
  expect(Math.max(took, ...waits.map((wait) => wait + gone - moment))).toBeLessThan(OUTAGE_MILLISECONDS);
  await Promise.all(probers.map((prober) => prober.stop()));

  // It comes back without anybody to ask: from what it wrote down.
  await startGateway(segment, owner);
  await waitFor("all three to be heard", async () => {
    const { members } = await l2Status(owner);
    return members.filter(({ alive }) => alive).length === 2;
  });
  await agreed(segment, 30);
  for (const url of [`http://${WEB[4]}/`, `http://[${WEB[6]}]/`]) {
    expect(curl(segment.far, url), url).toMatchObject({ exitCode: 0 });
  }

  await server.start();
  await recorded();
});
