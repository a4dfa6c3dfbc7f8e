/**
 * The XDP program with all that it needs to open flows: one port on the loopback that is the way to everybody, VIPs with
 * one backend each, and no worker. Close it, or let the file end.
 */
import { KernelForwarding } from "../../src/agent/kernel-forwarding.ts";
import { buildForwardingTable } from "../../src/dataplane/build-forwarding-table.ts";
import { Fib } from "../../src/dataplane/fib.ts";
import { EMPTY_FORWARDING_SPEC, type VipSpec } from "../../src/dataplane/forwarding-spec.ts";
import { IdRegistry } from "../../src/dataplane/id-registry.ts";
import { NeighborTable } from "../../src/dataplane/neighbor-table.ts";
import { PORT_WIRE, PortTable } from "../../src/dataplane/port-table.ts";
import { parseIpAddress } from "../../src/net/ip-address.ts";
import { parseMac } from "../../src/net/mac.ts";
import { ADDRESS_WORDS, storeAddress } from "../../src/wire/raw.ts";
import { BpfObject, type TestRunResult } from "../../src/xdp/bpf.ts";
import { encodeAddress, SETTINGS_FLAGS, SETTINGS_FORWARD } from "../../src/xdp/door-maps.ts";
import { setDoorPort } from "../../src/xdp/door-ports.ts";
import { readXdpCounters, type XdpOutcome } from "../../src/xdp/xdp-counters.ts";
import { words } from "./traffic.ts";

export const HASH_KEY = { k0: 0x1111, k1: 0x2222 };
export const VIP = "198.51.100.10";
export const BACKEND = "10.2.0.2";
export const PORT_MAC = "02:00:00:00:0a:01";
const ROUTER = { address: "10.1.0.2", mac: "02:00:00:00:0a:00" };
const LOOPBACK = 1;

export interface OpeningStage {
  readonly object: BpfObject;
  readonly settings: Int32Array;
  run(frame: Uint8Array): TestRunResult;
  counters(): Record<XdpOutcome, number>;
  close(): void;
}

/** @param flags of the settings, besides SETTINGS_FORWARD. */
export function openingStage(rows: number, flags: number): OpeningStage {
  const object = BpfObject.load(undefined, { maxEntries: { flows: rows } });
  const settings = object.map("settings").mmap();
  settings.set([HASH_KEY.k0, HASH_KEY.k1, rows - 1, 0]);
  settings[SETTINGS_FLAGS] = SETTINGS_FORWARD | flags;
  const ip = (text: string) => parseIpAddress(text)!;
  const mac = parseMac(PORT_MAC)!;
  setDoorPort(object.map("ports"), LOOPBACK, { id: 0 });
  object.map("devices").update(words(0), words(LOOPBACK));
  new PortTable(object.map("port_rows").mmap()).set(0, {
    ...{ kind: PORT_WIRE, mac, mtu: 1500, ipv4: null, ipv6: null, pair: null },
  });
  const neighbors = new NeighborTable(object.map("neighbors").mmap());
  const gateway = new Int32Array(ADDRESS_WORDS);
  storeAddress(gateway, 0, ip(ROUTER.address));
  neighbors.set(gateway, 0, parseMac(ROUTER.mac)!, mac);
  object.map("owned4").update(encodeAddress(ip(VIP)).slice(12), words(1));
  const kernel = new KernelForwarding(object, true);
  kernel.route(
    Fib.build([{ destination: ip("0.0.0.0"), prefixLength: 0, gateway: ip(ROUTER.address), port: 0 }]),
    neighbors,
  );
  const vips = (["TCP", "UDP"] as const).map(
    (protocol): VipSpec => ({
      ...{ service: "test/web", address: ip(VIP), port: 80, protocol, mode: "nat", affinity: false, sources: null },
      ...{ sourceNat: "none", policies: [] },
      backends: [{ address: ip(BACKEND), port: 8080, weight: 1, draining: false, node: null }],
    }),
  );
  const spec = { ...EMPTY_FORWARDING_SPEC, vips, owned: [{ address: ip(VIP), answerOn: "all" as const }] };
  const context = { epoch: 1, key: HASH_KEY, ids: new IdRegistry(), portNames: ["lo"] };
  kernel.publish(buildForwardingTable(spec, context).columns, []);
  const program = object.program("sluice_xdp");
  return {
    object,
    settings,
    run: (frame) => program.testRun(frame, { ingress: { interfaceIndex: LOOPBACK, queue: 0 } }),
    counters: () => readXdpCounters(object.map("xdp_counters")),
    close() {
      kernel.close();
      object.close();
    },
  };
}
