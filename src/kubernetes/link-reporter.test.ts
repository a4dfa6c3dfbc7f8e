import { afterEach, expect, test } from "vitest";
import type { Plan } from "../control/plan.ts";
import type { ApiConnection } from "./api-connection.ts";
import { LinkReporter, type OwnedService } from "./link-reporter.ts";

type StoredLike = { metadata: { name: string; labels?: Record<string, string> }; spec?: object; status?: object };

/** An API server as far as records need one, and the writes that it saw. */
class PlayedServer {
  readonly objects = new Map<string, StoredLike>();
  readonly writes: string[] = [];
  #number = 0;
  readonly api = {
    get: async (path: string) => ({
      items: [...this.objects].filter(([at]) => at.startsWith(`${path}/`)).map(([, object]) => object),
    }),
    create: async (path: string, body: object) => {
      const object = structuredClone(body) as StoredLike & { metadata: { generateName?: string } };
      object.metadata.name ??= `${object.metadata.generateName}${++this.#number}`;
      this.objects.set(`${path}/${object.metadata.name}`, object);
      this.writes.push(`create ${object.metadata.name}`);
      return object;
    },
    patch: async (path: string, body: object) => {
      const at = path.replace(/\/status$/, "");
      const object = { ...this.objects.get(at)!, ...body };
      this.objects.set(at, object);
      this.writes.push(`patch ${object.metadata.name}`);
      return object;
    },
    remove: async (path: string) => {
      this.writes.push(`delete ${this.objects.get(path)!.metadata.name}`);
      this.objects.delete(path);
    },
  } as unknown as ApiConnection;

  holders(): Record<string, string> {
    const leases = [...this.objects.values()].filter(({ spec }) => spec !== undefined);
    return Object.fromEntries(
      leases.map(({ metadata, spec }) => [metadata.name, (spec as { holderIdentity: string }).holderIdentity]),
    );
  }
}

const reporters: LinkReporter[] = [];
afterEach(() => {
  for (const reporter of reporters.splice(0)) void reporter.close();
});

function reporter(
  server: PlayedServer,
  node: string,
  owned: () => readonly OwnedService[],
  services: string[],
  pool = "p",
) {
  const made = new LinkReporter({ api: server.api, node, namespace: "sys", owned: async () => owned() });
  reporters.push(made);
  const planned = Object.fromEntries(services.map((key) => [key, { pool }]));
  made.planned({ services: planned, pools: { p: {}, m: { status: {} } } } as unknown as Plan, 20_000);
  return made;
}

const web: OwnedService = { namespace: "default", name: "web", interfaces: ["net0"], isFirst: true };

test("the owner holds the Lease of its Service, and writes nothing more while it does", async () => {
  const server = new PlayedServer();
  const one = reporter(server, "n1", () => [web], ["default/web"]);
  for (let look = 0; look < 20; look++) await one.look();
  expect(server.holders()).toEqual({ "cilium-l2announce-default-web": "n1" });
  expect(server.writes).toEqual(["create cilium-l2announce-default-web"]);
  expect([...server.objects.values()].map(({ spec }) => spec)).toMatchObject([{ leaseDurationSeconds: 20 }]);
});

test("a Lease follows the owner to another node and back", async () => {
  const server = new PlayedServer();
  let owner = "n1";
  const nodes = ["n1", "n2"].map((name) =>
    reporter(server, name, () => (owner === name ? [web] : []), ["default/web"]),
  );
  const look = async () => {
    for (const node of nodes) await node.look();
  };
  await look();
  for (owner of ["n2", "n1", "n2"]) {
    await look();
    expect(server.holders()).toEqual({ "cilium-l2announce-default-web": owner });
  }
});

test("the Lease of a Service that is gone goes too", async () => {
  const server = new PlayedServer();
  let owned = [web];
  const one = reporter(server, "n1", () => owned, ["default/web"]);
  await one.look();
  owned = [];
  one.planned({ services: {}, pools: {} } as unknown as Plan, 15_000);
  await one.look();
  await one.look();
  expect(server.objects.size).toBe(0);
});

test("a takeover of many is written a few at a time", async () => {
  const server = new PlayedServer();
  const many = Array.from({ length: 100 }, (_, index) => ({ ...web, name: `web${index}` }));
  const one = reporter(
    server,
    "n1",
    () => many,
    many.map(({ name }) => `default/${name}`),
  );
  for (let look = 0; look < 6; look++) await one.look();
  expect(server.writes).toHaveLength(10);
});

test("a Service of MetalLB's pool has a ServiceL2Status in place of a Lease", async () => {
  const server = new PlayedServer();
  let owned = [web];
  const one = reporter(server, "n1", () => owned, ["default/web"], "m");
  await one.look();
  expect([...server.objects.values()]).toMatchObject([
    {
      metadata: { labels: { "metallb.io/node": "n1", "metallb.io/service-name": "web" } },
      status: { node: "n1", serviceName: "web", serviceNamespace: "default", interfaces: [{ name: "net0" }] },
    },
  ]);
  owned = [];
  await one.look();
  expect(server.objects.size).toBe(0);
});
