/** What goes wrong around us, and that nothing is lost by it: a real API server that dies, forgets and refuses. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { plan } from "../../src/control/plan.ts";
import { clusterNode, ipPool, lbService, peeringPolicy } from "../fixtures/kubernetes-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";
import { addresses, joinCluster, type TestMember } from "./fixtures/member.ts";

let server: ApiServer;
let stateFile: string;
const members: TestMember[] = [];

beforeAll(async () => {
  server = await ApiServer.start();
  stateFile = join(server.folder, "state.json");
  server.apply(clusterNode("n1", "10.0.0.1"), ipPool("pool", ["10.9.0.0/24"]), lbService("web"));
});
afterAll(() => server?.close());
afterEach(async () => {
  await Promise.all(members.splice(0).map(({ member }) => member.close()));
  rmSync(stateFile, { force: true });
});

function member(identity: string, options: Parameters<typeof joinCluster>[2] = {}): TestMember {
  const joined = joinCluster(server, identity, options);
  members.push(joined);
  return joined;
}

function current({ states }: TestMember) {
  return states.at(-1)!;
}

function heldBy(joined: TestMember, service: string): string[] {
  const planned = plan(current(joined).intent, { nodeName: null, givesAddresses: false });
  return [...(planned.services[service]?.ingress ?? [])];
}

describe("an API server that dies", () => {
  test("leaves everything as it is; back again it is followed on, and nothing was lost or moved", async () => {
    const joined = member("n1", { stateFile });
    await waitFor("an address", () => heldBy(joined, "default/web").length === 1);
    const before = heldBy(joined, "default/web");
    await waitFor("the state on disk", () => existsSync(stateFile));
    await server.kill();
    await waitFor("the end of leading", () => !joined.member.status.leads);
    expect(heldBy(joined, "default/web")).toEqual(before);
    await server.start();
    server.apply(lbService("second"));
    await waitFor("the next address", () => heldBy(joined, "default/second").length === 1, { timeoutSeconds: 40 });
    expect(heldBy(joined, "default/web")).toEqual(before);
    expect((await addresses(joined.member)).get("default/web")).toEqual(before);
  });

  test("does not keep a restarted process from coming up with the last known state", async () => {
    const first = member("n1", { stateFile });
    await waitFor("an address", () => heldBy(first, "default/web").length === 1);
    const before = heldBy(first, "default/web");
    await Promise.all(members.splice(0).map(({ member }) => member.close()));
    await server.kill();
    const again = member("n1", { stateFile });
    await waitFor("the state from disk", () => again.states.length > 0);
    expect(heldBy(again, "default/web")).toEqual(before);
    expect(current(again).problems[0]?.message).toMatch(/^does not answer \(.*\); the state of 20.* is in use$/);
    expect(again.member.status.leads).toBe(false);
    await server.start();
    await waitFor("the server's own word", () => current(again).problems.length === 0, { timeoutSeconds: 40 });
    expect(heldBy(again, "default/web")).toEqual(before);
  });
});

describe("among valid objects", () => {
  test("one that becomes invalid keeps its last good state, with a problem, and the others go on", async () => {
    server.apply(peeringPolicy("good", { serviceSelector: { matchLabels: { bgp: "yes" } } }));
    const joined = member("n1");
    await waitFor("the policy", () => current(joined)?.intent.bgpPolicies.length === 1);
    // The API server takes this: no schema can tell that two entries name one AS number.
    const twice = peeringPolicy("good", {});
    const [router] = twice.spec.virtualRouters;
    server.apply({ ...twice, spec: { virtualRouters: [router, router] } }, lbService("third"));
    await waitFor("the problem", () =>
      current(joined).problems.some(({ message }) => message.includes("last good state stays in use")),
    );
    expect(current(joined).intent.bgpPolicies[0]!.virtualRouters).toHaveLength(1);
    await waitFor("an address for another one", () => heldBy(joined, "default/third").length === 1);
    server.kubectl("delete", "bgpp", "good");
    await waitFor("its end", () => current(joined).intent.bgpPolicies.length === 0);
    expect(current(joined).problems).toEqual([]);
  });

  test("a Secret that disappears leaves its session the key", async () => {
    server.kubectl("create", "secret", "generic", "key", "-n", "kube-system", "--from-literal=password=opensesame");
    const joined = member("n1");
    await waitFor("the key", () => current(joined)?.intent.bgpPasswords["key"] === "opensesame");
    server.kubectl("delete", "secret", "key", "-n", "kube-system");
    await waitFor("a problem", () =>
      current(joined).problems.some(({ object }) => object === "Secret/kube-system/key"),
    );
    expect(current(joined).intent.bgpPasswords["key"]).toBe("opensesame");
  });

  test("kinds that are installed later are found", async () => {
    server.kubectl("delete", "crd", "bgppeers.metallb.io");
    const joined = member("n1");
    await waitFor("the first state", () => joined.states.length > 0);
    server.kubectl(
      "apply",
      "--server-side",
      "-f",
      join(import.meta.dirname, "../../deploy/crds/bgppeers.metallb.io.yaml"),
    );
    server.kubectl("wait", "--for=condition=Established", "crd/bgppeers.metallb.io");
    server.apply({
      apiVersion: "metallb.io/v1beta2",
      kind: "BGPPeer",
      metadata: { name: "tor", namespace: "sluice-system" },
      spec: { myASN: 64512, peerASN: 64513, peerAddress: "10.0.0.254" },
    });
    await waitFor("the peer", () => current(joined).intent.bgpPolicies.length === 1, { timeoutSeconds: 15 });
    server.kubectl("delete", "bgppeer", "tor", "-n", "sluice-system");
  });
});

test("conflicting writes end with each Service having one address of its own", async () => {
  const joined = member("n1");
  await waitFor("the lead", () => joined.member.status.leads);
  const names = Array.from({ length: 20 }, (_, index) => `c${index}`);
  const post = (name: string) => {
    const { status: _none, ...service } = lbService(`default/${name}`);
    return joined.member.api.create("/api/v1/namespaces/default/services", service);
  };
  const relabel = (name: string, round: number) =>
    joined.member.api.patch(`/api/v1/namespaces/default/services/${name}`, { metadata: { labels: { r: `${round}` } } });
  await Promise.all(
    names.map(async (name) => {
      await post(name);
      for (let round = 0; round < 5; round++) await relabel(name, round);
    }),
  );
  await waitFor("all addresses", async () => {
    const given = await addresses(joined.member);
    return names.every((name) => given.get(`default/${name}`)?.length === 1);
  });
  const all = [...(await addresses(joined.member)).values()].flat();
  expect(new Set(all).size).toBe(all.length);
  expect(joined.states.at(-1)!.problems).toEqual([]);
});
