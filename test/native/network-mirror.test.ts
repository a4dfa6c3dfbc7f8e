/** The mirror of the kernel's network tables, against `ip` changing them. */
import { afterAll, describe, expect, test } from "vitest";
import { formatIpAddress, type IpAddress, parseIpAddress } from "../../src/net/ip-address.ts";
import { formatMac, type Mac, parseMac } from "../../src/net/mac.ts";
import { rxQueueCount } from "../../src/xdp/ethtool.ts";
import { isNativeError } from "../../src/xdp/native-error.ts";
import { addAddress, createVethPair, deleteLink, findLink, resolveNeighbor, setLink } from "../../src/xdp/netlink.ts";
import { NetworkMirror, type NetworkSnapshot } from "../../src/xdp/network-mirror.ts";
import { isUsable } from "../../src/xdp/rtnetlink.ts";
import { moveIntoOwnNamespace, otherNamespace, run } from "./own-namespace.ts";

moveIntoOwnNamespace();
run("ip link add eth0 type veth peer name eth1");
run("ip link set eth0 address 02:00:00:00:00:aa");

const mirror = new NetworkMirror();
afterAll(() => mirror.close());

/** Resolves once `wanted` holds, looking after each change. */
function until(wanted: (now: NetworkSnapshot) => boolean): Promise<NetworkSnapshot> {
  const failure = new Error(`not seen: ${wanted}`);
  return new Promise((resolve, reject) => {
    const look = () => {
      const now = mirror.snapshot();
      if (!wanted(now)) return;
      clearTimeout(timer);
      stop();
      resolve(now);
    };
    const stop = mirror.onChange(look);
    const timer = setTimeout(() => reject(failure), 3000);
    look();
  });
}

const ip = (text: string): IpAddress => parseIpAddress(text)!;
const link = (name: string) => mirror.snapshot().links.find((candidate) => candidate.name === name)!;
const routeTo = (now: NetworkSnapshot, text: string) =>
  now.routes.find((route) => `${formatIpAddress(route.destination)}/${route.prefixLength}` === text);

describe("the mirror", () => {
  test("begins with what is there", () => {
    expect(link("lo")).toMatchObject({ index: 1, mac: 0, up: true, kind: null });
    expect(link("eth0")).toMatchObject({ mac: parseMac("02:00:00:00:00:aa"), up: false, kind: "veth", mtu: 1500 });
    expect(mirror.snapshot().addresses).toContainEqual({
      interfaceIndex: 1,
      address: ip("127.0.0.1"),
      prefixLength: 8,
    });
  });

  test("sees an interface come up, get its carrier, change, and lose it", async () => {
    run("ip link set eth0 up");
    run("ip link set eth1 up");
    await until(() => link("eth0").up && link("eth0").carrier);
    run("ip link set eth0 mtu 1400");
    await until(() => link("eth0").mtu === 1400);
    run("ip link set eth1 down");
    await until(() => link("eth0").up && !link("eth0").carrier);
    run("ip link set eth1 up");
    await until(() => link("eth0").carrier);
  });

  test("sees addresses and routes of both families come and go", async () => {
    run("ip addr add 10.9.0.1/24 dev eth0");
    run("ip -6 addr add 2001:db8:9::1/64 dev eth0 nodad");
    const index = link("eth0").index;
    await until((now) => now.addresses.some(({ address }) => address.value === ip("2001:db8:9::1").value));
    expect(mirror.snapshot().addresses).toContainEqual({
      interfaceIndex: index,
      address: ip("10.9.0.1"),
      prefixLength: 24,
    });
    run("ip route add 198.51.100.0/24 via 10.9.0.2 metric 7");
    run("ip -6 route add 2001:db8:a::/48 via 2001:db8:9::2");
    run("ip route add blackhole 203.0.113.7/32");
    run("ip route add default nexthop via 10.9.0.2 weight 3 nexthop via 10.9.0.3");
    const now = await until((seen) => routeTo(seen, "0.0.0.0/0")?.nextHops.length === 2);
    expect(routeTo(now, "10.9.0.0/24")).toMatchObject({ nextHops: [{ interfaceIndex: index, gateway: null }] });
    expect(routeTo(now, "198.51.100.0/24")).toEqual({
      destination: ip("198.51.100.0"),
      prefixLength: 24,
      type: "unicast",
      metric: 7,
      preferredSource: null,
      nextHops: [{ interfaceIndex: index, gateway: ip("10.9.0.2"), weight: 1 }],
    });
    expect(routeTo(now, "2001:db8:a::/48")).toMatchObject({ nextHops: [{ gateway: ip("2001:db8:9::2") }] });
    expect(routeTo(now, "203.0.113.7/32")).toMatchObject({ type: "blackhole", nextHops: [] });
    expect(routeTo(now, "0.0.0.0/0")?.nextHops).toMatchObject([
      { gateway: ip("10.9.0.2"), weight: 3 },
      { gateway: ip("10.9.0.3"), weight: 1 },
    ]);
    run("ip route del 198.51.100.0/24");
    await until((seen) => routeTo(seen, "198.51.100.0/24") === undefined);
  });

  test("forgets the IPv4 routes that go with an interface, of which the kernel says nothing", async () => {
    expect(routeTo(mirror.snapshot(), "0.0.0.0/0")).toBeDefined();
    run("ip link set eth0 down");
    await until((now) => routeTo(now, "0.0.0.0/0") === undefined && routeTo(now, "10.9.0.0/24") === undefined);
    run("ip link set eth0 up");
    await until((now) => routeTo(now, "10.9.0.0/24") !== undefined);
  });

  test("sees a neighbour given, changed and taken", async () => {
    const find = (now: NetworkSnapshot) => now.neighbors.find(({ address }) => address.value === ip("10.9.0.9").value);
    run("ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 dev eth0");
    const given = await until((now) => find(now) !== undefined);
    expect(find(given)).toMatchObject({ mac: parseMac("02:00:00:00:00:09"), state: "permanent" });
    run("ip neigh replace 10.9.0.9 lladdr 02:00:00:00:00:10 dev eth0");
    await until((now) => find(now)?.mac === parseMac("02:00:00:00:00:10"));
    run("ip neigh del 10.9.0.9 dev eth0");
    await until((now) => find(now) === undefined || !isUsable(find(now)!));
  });

  test("reads everything anew when 40,000 changes in one go overflow the kernel's queue", async () => {
    const mac = (n: number) => formatMac((0x020000000000 + n) as Mac);
    const lines = Array.from({ length: 40_000 }, (_, n) => `neigh replace 10.9.0.77 lladdr ${mac(n)} dev eth0`);
    const tables = new Set<string>();
    const stop = mirror.onChange((changed) => {
      for (const table of changed) tables.add(table);
    });
    // This thread is busy until `ip` has ended, so nobody empties the queue.
    run("ip -batch -", lines.join("\n"));
    await until((now) => now.neighbors.some((neighbor) => neighbor.mac === parseMac(mac(39_999))));
    stop();
    expect(tables, "no link changed: this is the overflow").toContain("links");
  });
});

describe("actions", () => {
  test("make a veth pair with several queues, set it up, give it an address and delete it", async () => {
    createVethPair({ name: "na", peer: "nb", queues: 3 });
    const made = findLink("na")!;
    expect(made).toMatchObject({ kind: "veth", rxQueues: 3, txQueues: 3, up: false });
    expect(findLink("nb")).toMatchObject({ rxQueues: 3 });
    expect(rxQueueCount("na")).toBe(3);
    setLink(made, { up: true, mtu: 9000 });
    addAddress(made, ip("169.254.77.1"), 32);
    addAddress(made, ip("169.254.77.1"), 32);
    await until((now) => now.addresses.some(({ interfaceIndex }) => interfaceIndex === made.index));
    expect(findLink("na")).toMatchObject({ up: true, mtu: 9000 });
    deleteLink(made);
    await until((now) => !now.links.some(({ name }) => name === "na" || name === "nb"));
    expect(findLink("na")).toBeNull();
  });

  test("say in the kernel's words what was refused", () => {
    try {
      createVethPair({ name: "eth0", peer: "eth2", queues: 1 });
      expect.unreachable();
    } catch (error) {
      expect(isNativeError(error) && error.code).toBe("EEXIST");
      expect((error as Error).message).toBe("cannot create the veth pair eth0 and eth2: File exists (EEXIST)");
    }
  });

  test("resolve a neighbour through the kernel, and see when there is none", async () => {
    const far = otherNamespace();
    run(`ip link add ra type veth peer name rb`);
    run(`ip link set rb netns ${far.name}`);
    run("ip link set ra up");
    run("ip addr add 10.8.0.1/24 dev ra");
    far.run("ip link set rb address 02:00:00:00:00:bb");
    far.run("ip link set rb up");
    far.run("ip addr add 10.8.0.2/24 dev rb");
    await until(() => link("ra")?.carrier === true);
    const index = link("ra").index;
    const find = (now: NetworkSnapshot, text: string) =>
      now.neighbors.find(({ address, interfaceIndex }) => interfaceIndex === index && address.value === ip(text).value);
    resolveNeighbor(index, ip("10.8.0.2"));
    const now = await until((seen) => find(seen, "10.8.0.2")?.state === "reachable");
    expect(find(now, "10.8.0.2")!.mac).toBe(parseMac("02:00:00:00:00:bb"));
    run("sysctl -qw net.ipv4.neigh.ra.mcast_solicit=1");
    run("sysctl -qw net.ipv4.neigh.ra.retrans_time_ms=100");
    resolveNeighbor(index, ip("10.8.0.3"));
    await until((seen) => find(seen, "10.8.0.3")?.state === "failed");
  });
});
