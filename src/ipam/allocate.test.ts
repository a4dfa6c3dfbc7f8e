import { describe, expect, test } from "vitest";
import { ciliumConfig, clusterNode, intentOf, ipPool, lbService } from "../../test/fixtures/kubernetes-objects.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { allocate } from "./allocate.ts";

function allocated(...objects: readonly object[]) {
  const { services, pools } = allocate(intentOf(...objects));
  const service = (key: string) => services.get(key.includes("/") ? key : `default/${key}`)!;
  return {
    addresses: (key: string) => service(key).addresses.map(formatIpAddress),
    reason: (key: string) => service(key).conditions[0]?.reason ?? null,
    message: (key: string) => service(key).conditions[0]?.message ?? null,
    events: (key: string) => service(key).events.map(({ message }) => message),
    pool: (key: string) => service(key).pool,
    use: (name: string) => pools.get(name)!,
  };
}

const shared = (key: string, more: Record<string, string> = {}) => ({
  annotations: { "lbipam.cilium.io/sharing-key": key, ...more },
});

describe("held addresses", () => {
  test("stay with their Service however the others come and go", () => {
    const after = allocated(ipPool("p", ["10.0.0.0/24"]), lbService("a"), lbService("b", { held: ["10.0.0.7"] }));
    expect(after.addresses("b")).toEqual(["10.0.0.7"]);
    expect(after.addresses("a")).toEqual(["10.0.0.0"]);
  });

  test("stay when their pool is disabled, keeps its ends or overlaps an elder one", () => {
    const held = lbService("a", { held: ["10.0.0.0"] });
    expect(allocated(ipPool("p", ["10.0.0.0/24"], { spec: { disabled: true } }), held).addresses("a")).toEqual([
      "10.0.0.0",
    ]);
    const withoutEnds = allocated(ipPool("p", ["10.0.0.0/24"], { spec: { allowFirstLastIPs: "No" } }), held);
    expect(withoutEnds.addresses("a")).toEqual(["10.0.0.0"]);
    const overlapping = allocated(
      ipPool("elder", ["10.0.0.128/25"], { createdAt: "2020-01-01T00:00:00Z" }),
      ipPool("younger", ["10.0.0.0/24"], { createdAt: "2021-01-01T00:00:00Z" }),
      held,
    );
    expect(overlapping.addresses("a")).toEqual(["10.0.0.0"]);
  });

  test("stay when the pool is widened, renamed or cut into blocks that still have them", () => {
    const held = lbService("a", { held: ["10.0.0.9"] });
    expect(allocated(ipPool("p", ["10.0.0.0/16"]), held).addresses("a")).toEqual(["10.0.0.9"]);
    expect(allocated(ipPool("other", ["10.0.0.8/29", "10.0.0.0/29"]), held).addresses("a")).toEqual(["10.0.0.9"]);
  });

  test("are replaced, with an event that says why, when no pool has them any more", () => {
    const after = allocated(ipPool("p", ["10.0.1.0/24"]), lbService("a", { held: ["10.0.0.9"] }));
    expect(after.addresses("a")).toEqual(["10.0.1.0"]);
    expect(after.events("a")).toEqual(["10.0.0.9 is taken away: no pool that serves this Service contains it"]);
  });

  test("are replaced when the Service asks for another one", () => {
    const after = allocated(
      ipPool("p", ["10.0.0.0/24"]),
      lbService("a", { held: ["10.0.0.9"], spec: { loadBalancerIP: "10.0.0.20" } }),
    );
    expect(after.addresses("a")).toEqual(["10.0.0.20"]);
  });

  test("that two Services claim go to the elder", () => {
    const after = allocated(
      ipPool("p", ["10.0.0.0/24"]),
      lbService("a", { held: ["10.0.0.9"], createdAt: "2022-01-02T00:00:00Z" }),
      lbService("b", { held: ["10.0.0.9"], createdAt: "2022-01-01T00:00:00Z" }),
    );
    expect(after.addresses("b")).toEqual(["10.0.0.9"]);
    expect(after.addresses("a")).toEqual(["10.0.0.0"]);
    expect(after.events("a")).toEqual(["10.0.0.9 is taken away: default/b has it (different sharing key)"]);
  });

  test("are left alone where there is no pool at all: somebody else gave them", () => {
    const after = allocated(lbService("a", { held: ["172.16.1.1"] }));
    expect(after.addresses("a")).toEqual(["172.16.1.1"]);
    expect(after.pool("a")).toBeNull();
    expect(after.reason("a")).toBeNull();
  });
});

describe("the choice of a pool", () => {
  const web = { labels: { app: "web" } };
  const forWeb = { spec: { serviceSelector: { matchLabels: { app: "web" } } } };

  test("prefers one that selected the Service, however old the others are", () => {
    const after = allocated(
      ipPool("a-open", ["10.1.0.0/24"], { createdAt: "2020-01-01T00:00:00Z" }),
      ipPool("z-web", ["10.2.0.0/24"], { createdAt: "2024-01-01T00:00:00Z", ...forWeb }),
      lbService("a", web),
      lbService("b"),
    );
    expect(after.addresses("a")).toEqual(["10.2.0.0"]);
    expect(after.addresses("b")).toEqual(["10.1.0.0"]);
  });

  test("goes on with the next pool when the preferred one is full", () => {
    const pools = [ipPool("open", ["10.1.0.0/24"]), ipPool("web", ["10.2.0.0/32"], forWeb)];
    const after = allocated(...pools, lbService("a", web), lbService("b", web));
    expect(after.addresses("b")).toEqual(["10.1.0.0"]);
  });

  test("takes the elder of equals, then the first by name", () => {
    const old = ipPool("z", ["10.9.0.0/24"], { createdAt: "2020-01-01T00:00:00Z" });
    expect(allocated(ipPool("a", ["10.1.0.0/24"]), old, lbService("s")).pool("s")).toBe("z");
    expect(allocated(ipPool("b", ["10.2.0.0/24"]), ipPool("a", ["10.1.0.0/24"]), lbService("s")).pool("s")).toBe("a");
  });

  test("can go by the namespace and the name of the Service", () => {
    const byNamespace = { spec: { serviceSelector: { matchLabels: { "io.kubernetes.service.namespace": "blue" } } } };
    const after = allocated(ipPool("p", ["10.0.0.0/24"], byNamespace), lbService("blue/a"), lbService("red/a"));
    expect(after.addresses("blue/a")).toEqual(["10.0.0.0"]);
    expect(after.reason("red/a")).toBe("no_pool");
  });

  test("ignores pools that are disabled or in conflict", () => {
    const disabled = { spec: { disabled: true } };
    expect(allocated(ipPool("p", ["10.0.0.0/24"], disabled), lbService("a")).reason("a")).toBe("no_pool");
    const after = allocated(ipPool("p", ["10.0.0.0/24", "10.0.0.0/28"]), lbService("a"));
    expect(after.reason("a")).toBe("no_pool");
    expect(after.use("p").conflict).toBe(
      "Pool conflicts since range '10.0.0.0/24' overlaps range '10.0.0.0/28' from IP Pool 'p'",
    );
  });
});

describe("a requested address", () => {
  const ask = (ip: string, more: object = {}) => ({ spec: { loadBalancerIP: ip }, ...more });

  test("outside of every pool is refused with no_pool", () => {
    const after = allocated(ipPool("p", ["10.0.0.0/24"]), lbService("a", ask("10.9.0.1")));
    expect(after.reason("a")).toBe("no_pool");
    expect(after.message("a")).toBe("No pool exists with a CIDR containing '10.9.0.1'");
  });

  test("in a pool for others is refused with pool_selector_mismatch", () => {
    const pool = ipPool("p", ["10.0.0.0/24"], { spec: { serviceSelector: { matchLabels: { app: "web" } } } });
    expect(allocated(pool, lbService("a", ask("10.0.0.1"))).reason("a")).toBe("pool_selector_mismatch");
  });

  test("of another Service is refused with already_allocated, or why it cannot be shared", () => {
    const after = allocated(
      ipPool("p", ["10.0.0.0/24"]),
      lbService("a", ask("10.0.0.1", shared("k"))),
      lbService("b", ask("10.0.0.1")),
      lbService("c", ask("10.0.0.1", shared("k"))),
    );
    expect(after.reason("b")).toBe("already_allocated");
    expect(after.reason("c")).toBe("already_allocated_incompatible_service");
    expect(after.message("c")).toBe(
      "The IP '10.0.0.1' is already allocated to an incompatible service. Reason: same port 80",
    );
  });

  test("under either spelling of the annotation counts once", () => {
    for (const key of ["lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips"]) {
      const service = lbService("a", { annotations: { [key]: "10.0.0.5, 10.0.0.5" } });
      expect(allocated(ipPool("p", ["10.0.0.0/24"]), service).addresses("a")).toEqual(["10.0.0.5"]);
    }
  });

  test("of a node, a pod or the loopback is never given", () => {
    const node = clusterNode("n1", "10.0.0.2", { podCIDRs: ["10.0.0.16/28"] });
    const pool = ipPool("p", ["10.0.0.0/24", "127.0.0.0/8"]);
    for (const address of ["10.0.0.2", "10.0.0.17", "127.0.0.1"]) {
      expect(allocated(node, pool, lbService("a", ask(address))).reason("a")).toBe("already_allocated");
    }
    const held = allocated(node, pool, lbService("a", { held: ["10.0.0.2"] }));
    expect(held.addresses("a")).toEqual(["10.0.0.0"]);
    expect(held.events("a")).toEqual(["10.0.0.2 is taken away: it is the address of node n1"]);
  });
});

describe("the next free address", () => {
  test("comes from the blocks in their order", () => {
    const after = allocated(
      ipPool("p", ["10.0.9.1-10.0.9.2", "10.0.1.0/24"]),
      ...["a", "b", "c"].map((name) => lbService(name)),
    );
    expect(["a", "b", "c"].flatMap(after.addresses)).toEqual(["10.0.9.1", "10.0.9.2", "10.0.1.0"]);
  });

  test("goes to the eldest Service first, then by namespace and name", () => {
    const after = allocated(
      ipPool("p", ["10.0.0.0/24"]),
      lbService("a"),
      lbService("b"),
      lbService("z", { createdAt: "2020-01-01T00:00:00Z" }),
    );
    expect(["z", "a", "b"].flatMap(after.addresses)).toEqual(["10.0.0.0", "10.0.0.1", "10.0.0.2"]);
  });

  test("of a /8 and of a v6 /64 is found at once", () => {
    const dual = { ipFamilyPolicy: "RequireDualStack" };
    const after = allocated(ipPool("p", ["10.0.0.0/8", "2001:db8::/64"]), lbService("a", { spec: dual }));
    expect(after.addresses("a")).toEqual(["10.0.0.0", "2001:db8::"]);
    expect(after.use("p").total).toBe((1n << 24n) + (1n << 64n));
  });

  test("leaves out both ends of CIDRs where the pool says so, never those of ranges", () => {
    const spec = { allowFirstLastIPs: "No" };
    const after = allocated(ipPool("p", ["10.0.0.0/30"], { spec }), lbService("a"), lbService("b"), lbService("c"));
    expect(["a", "b"].flatMap(after.addresses)).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(after.reason("c")).toBe("out_of_ips");
    expect(allocated(ipPool("p", ["10.0.0.0-10.0.0.3"], { spec }), lbService("a")).addresses("a")).toEqual([
      "10.0.0.0",
    ]);
    expect(allocated(ipPool("p", ["10.0.0.0/31"], { spec }), lbService("a")).addresses("a")).toEqual(["10.0.0.0"]);
  });

  test("of one family is given although the other has none left, and the Service says what it lacks", () => {
    const spec = { ipFamilyPolicy: "RequireDualStack" };
    const after = allocated(ipPool("p", ["10.0.0.0/24"]), lbService("a", { spec }));
    expect(after.addresses("a")).toEqual(["10.0.0.0"]);
    expect(after.reason("a")).toBe("no_pool");
  });
});

describe("sharing", () => {
  const pool = ipPool("p", ["10.0.0.0/24"]);

  test("of one key with other ports gives one address, counted once", () => {
    const after = allocated(
      pool,
      lbService("a", { ...shared("k"), port: 80 }),
      lbService("b", { ...shared("k"), port: 81 }),
    );
    expect(after.addresses("b")).toEqual(after.addresses("a"));
    expect(after.use("p").used).toBe(1n);
  });

  test("needs the same traffic policy, and for Local the same pods", () => {
    const local = (selector: object) => ({ spec: { externalTrafficPolicy: "Local", selector } });
    const b = (spec: object) =>
      allocated(pool, lbService("a", { ...shared("k"), ...local({ app: "x" }) }), {
        ...lbService("b", { ...shared("k"), port: 81 }),
        spec: { type: "LoadBalancer", ports: [{ port: 81 }], ...spec },
      });
    expect(b({}).addresses("b")).toEqual(["10.0.0.1"]);
    expect(b(local({ app: "y" }).spec).addresses("b")).toEqual(["10.0.0.1"]);
    expect(b(local({ app: "x" }).spec).addresses("b")).toEqual(["10.0.0.0"]);
  });

  test("across namespaces needs the word of both", () => {
    const cross = (namespaces: string) => shared("k", { "lbipam.cilium.io/sharing-cross-namespace": namespaces });
    const b = (a: object, theirs: object) =>
      allocated(pool, lbService("one/a", a), lbService("two/b", { ...theirs, port: 81 })).addresses("two/b");
    expect(b(cross("two"), shared("k"))).toEqual(["10.0.0.1"]);
    expect(b(cross("two"), cross("one"))).toEqual(["10.0.0.0"]);
    expect(b(cross("*"), cross("three,*"))).toEqual(["10.0.0.0"]);
  });

  describe("where pools overlap", () => {
    const after = allocated(
      ipPool("p", ["10.0.0.0-10.0.0.1"], { spec: { serviceSelector: { matchLabels: { app: "web" } } } }),
      ipPool("q", ["10.0.0.0-10.0.0.1"]),
      lbService("a", { ...shared("k"), port: 80, labels: { app: "web" } }),
      lbService("b", { ...shared("k"), port: 81, held: ["10.0.0.0"] }),
      lbService("c", { ...shared("k"), port: 82 }),
    );

    test("each Service has the address by a pool of its own, and both pools count it", () => {
      expect(after.addresses("a")).toEqual(["10.0.0.0"]);
      expect([after.pool("a"), after.pool("b")]).toEqual(["p", "q"]);
      expect(after.use("p").families[4]).toEqual({ assigned: 1n, available: 1n });
      expect(after.use("q").families[4]).toEqual({ assigned: 1n, available: 1n });
    });

    test("the pool that stopped giving addresses gives no part in one either", () => {
      expect(after.addresses("c")).toEqual([]);
      expect(after.reason("c")).toBe("no_pool");
    });
  });
});

describe("Services that are not ours", () => {
  test("are left as they are when their class belongs to another controller", () => {
    const after = allocated(
      ipPool("p", ["10.0.0.0/24"]),
      lbService("a", { held: ["192.0.2.1"], spec: { loadBalancerClass: "metallb.io/lb" } }),
    );
    expect(after.addresses("a")).toEqual(["192.0.2.1"]);
    expect(after.reason("a")).toBeNull();
  });

  test("keep foreign addresses where the default allocator is switched off", () => {
    const after = allocated(
      ciliumConfig({ "default-lb-service-ipam": "none" }),
      ipPool("p", ["10.0.0.0/24"]),
      lbService("a", { held: ["192.0.2.1"] }),
      lbService("b", { spec: { loadBalancerClass: "io.cilium/bgp-control-plane" } }),
    );
    expect(after.addresses("a")).toEqual(["192.0.2.1"]);
    expect(after.addresses("b")).toEqual(["10.0.0.0"]);
  });
});
