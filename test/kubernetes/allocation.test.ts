/** Who gives the addresses, and that none is ever given twice: several members, one real API server. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ClusterMember } from "../../src/kubernetes/cluster-member.ts";
import { ipPool, lbService } from "../fixtures/kubernetes-objects.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ApiServer } from "./fixtures/api-server.ts";
import { addresses, joinCluster, type TestMember } from "./fixtures/member.ts";

let server: ApiServer;
const members: TestMember[] = [];

beforeAll(async () => {
  server = await ApiServer.start();
});
afterAll(() => server?.close());
afterEach(async () => {
  await Promise.all(members.splice(0).map(({ member }) => member.close()));
  // At once: kubectl deletes five a second.
  server.kubectl("delete", "--raw", "/api/v1/namespaces/default/services");
  server.kubectl("delete", "ippools", "--all");
  server.kubectl("delete", "ipaddresspools", "-n", "sluice-system", "--all");
});

function join(identity: string, options: Parameters<typeof joinCluster>[2] = {}): ClusterMember {
  const joined = joinCluster(server, identity, options);
  members.push(joined);
  return joined.member;
}

interface ServiceAnswer {
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
    readonly loadBalancer: { readonly ingress?: readonly object[] };
  };
}

async function createServices(member: ClusterMember, names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map((name) => {
      const { status: _none, ...service } = lbService(`default/${name}`);
      return member.api.create("/api/v1/namespaces/default/services", service);
    }),
  );
}

async function given(member: ClusterMember): Promise<string[]> {
  return [...(await addresses(member)).values()].flat();
}

describe("a Service of type LoadBalancer", () => {
  test("gets an address, Cilium's condition, and the pool its counts, as kubectl shows them", async () => {
    server.apply(ipPool("pool", ["20.0.10.0/24"]), lbService("web"));
    join("n1");
    await waitFor("an address", () => server.kubectl("get", "svc", "web").includes("20.0.10.0"));
    const { status } = server.get<ServiceAnswer>("svc", "default/web");
    expect(status.loadBalancer.ingress).toEqual([{ ip: "20.0.10.0", ipMode: "VIP" }]);
    expect(status.conditions).toEqual([
      expect.objectContaining({ type: "cilium.io/IPAMRequestSatisfied", status: "True", reason: "satisfied" }),
    ]);
    await waitFor("the pool's columns", () => /pool\s+false\s+False\s+255/.test(server.kubectl("get", "ippools")));
  });

  test("that no pool serves is told why, and served when one comes", async () => {
    server.apply(lbService("web"));
    join("n1");
    await waitFor(
      "the condition",
      () => server.get<ServiceAnswer>("svc", "default/web").status.conditions?.[0]?.reason === "no_pool",
    );
    server.apply(ipPool("late", ["10.9.0.0/30"]));
    await waitFor("an address", () => server.kubectl("get", "svc", "web").includes("10.9.0.0"));
  });

  test("that becomes NodePort loses address and condition", async () => {
    server.apply(ipPool("pool", ["10.9.0.0/30"]), lbService("web"));
    join("n1");
    await waitFor("an address", () => server.kubectl("get", "svc", "web").includes("10.9.0.0"));
    server.kubectl("patch", "svc", "web", "-p", '{"spec":{"type":"NodePort"}}');
    await waitFor("its end", () => {
      const { status } = server.get<ServiceAnswer>("svc", "default/web");
      return (status.conditions ?? []).length === 0 && status.loadBalancer.ingress === undefined;
    });
  });

  test("of another class is not touched", async () => {
    server.apply(
      ipPool("pool", ["10.9.0.0/30"]),
      lbService("theirs", { spec: { loadBalancerClass: "example.com/other" } }),
      lbService("ours"),
    );
    const member = join("n1");
    await waitFor("the other Service", async () => (await addresses(member)).get("default/ours")?.length === 1);
    expect(server.get<ServiceAnswer>("svc", "default/theirs").status).toEqual({ loadBalancer: {} });
  });

  test("of MetalLB's gets its address from MetalLB's pool, and an Event when it can't", async () => {
    const pool = {
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      metadata: { name: "m", namespace: "sluice-system" },
      spec: { addresses: ["10.8.0.10-10.8.0.19"] },
    };
    const wrong = lbService("wrong", { annotations: { "metallb.io/address-pool": "nowhere" } });
    server.apply(pool, lbService("web"), wrong);
    join("n1");
    await waitFor("an address", () => server.kubectl("get", "svc", "web").includes("10.8.0.10"));
    expect(server.get<ServiceAnswer>("svc", "default/web").status.conditions).toBeUndefined();
    await waitFor("an Event", () => server.kubectl("get", "events").includes("AllocationFailed"));
    await waitFor("the pool's status", () => {
      const { status } = server.get<{ status?: object }>("ipaddresspool", "sluice-system/m");
      expect(status).toMatchObject({ assignedIPv4: 1, availableIPv4: 9 });
      return true;
    });
  });
});

describe("of several members", () => {
  const NAMES = Array.from({ length: 60 }, (_, index) => `s${index}`);

  test("one leads, and when it goes the next one goes on without giving an address twice or moving one", async () => {
    server.apply(ipPool("pool", ["10.9.0.0/24"]));
    const [a, b, c] = ["a", "b", "c"].map((name) => join(name)) as [ClusterMember, ClusterMember, ClusterMember];
    await waitFor("a leader", () => [a, b, c].filter(({ status }) => status.leads).length === 1);
    await createServices(a, NAMES.slice(0, 30));
    const leader = [a, b, c].find(({ status }) => status.leads)!;
    await leader.close();
    await createServices(a, NAMES.slice(30));
    const rest = [a, b, c].filter((member) => member !== leader);
    await waitFor("all addresses", async () => (await given(rest[0]!)).length === NAMES.length, { timeoutSeconds: 20 });
    const first = await addresses(rest[0]!);
    expect(new Set([...first.values()].flat()).size).toBe(NAMES.length);
    await rest.find(({ status }) => status.leads)!.close();
    await waitFor("another leader", () => rest.some(({ status }) => status.leads), { timeoutSeconds: 20 });
    expect(await addresses(rest[0]!)).toEqual(first);
  });

  test("a write that a dead leader still had under way can't give an address that its successor gives", async () => {
    server.apply(ipPool("pool", ["10.9.0.0/30"]));
    const observer = join("observer", { ipam: false });
    await createServices(observer, ["slow"]);
    const path = "/api/v1/namespaces/default/services/slow";
    // What a leader sent before it was stopped, held up on the way.
    const stale = await observer.api.get<{ metadata: { resourceVersion: string } }>(path);
    await createServices(observer, ["first"]);
    const late = (ip: string) =>
      observer.api.patch(`${path}/status`, {
        metadata: { resourceVersion: stale.metadata.resourceVersion },
        status: { loadBalancer: { ingress: [{ ip }] } },
      });
    join("successor");
    await waitFor("the addresses of the new leader", async () => (await given(observer)).length === 2);
    const taken = (await addresses(observer)).get("default/first")![0]!;
    await expect(late(taken)).rejects.toMatchObject({ status: 409 });
    expect(new Set(await given(observer)).size).toBe(2);
  });

  test("an address that somebody else wrote in between is kept, and not given again", async () => {
    server.apply(ipPool("pool", ["10.9.0.0/29"]));
    const observer = join("observer", { ipam: false });
    await createServices(observer, ["theirs"]);
    server.setStatus("svc", "default/theirs", { loadBalancer: { ingress: [{ ip: "10.9.0.0" }] } });
    join("n1");
    await createServices(observer, ["a", "b"]);
    await waitFor("all addresses", async () => (await given(observer)).length === 3);
    expect((await addresses(observer)).get("default/theirs")).toEqual(["10.9.0.0"]);
    expect(new Set(await given(observer)).size).toBe(3);
  });
});
