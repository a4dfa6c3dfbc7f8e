/**
 * The network of the forwarding benchmarks: a generator, the node that is measured, and a sink that counts.
 *
 *     gen                      node                                sink
 *    +-------------------+    +------------------------------+    +--------------------+
 *    | gen0 (router) ----|----|- net0 10.1.0.1   10.2.0.1 lan0 -|--|- sink0 (backend)  |
 *    +-------------------+    +------------------------------+    +--------------------+
 *      10.1.0.2, clients 11/8    VIP 198.51.100.10:80            10.2.0.2:8080
 *
 * The generator has one core to itself and whatever the kernel does in the path of a frame happens there too; processes
 * that forward have the other. Every contender has the same network, made anew.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ACK } from "../../src/wire/transport.ts";
import { attachXdp } from "../../src/xdp/attach.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import type { BpfMap } from "../../src/xdp/bpf-map.ts";
import { insideNetworkNamespace } from "../../src/xdp/namespace.ts";
import { type FrameFields, ipv4Frame } from "../../test/fixtures/frames.ts";
import { BACKEND, BACKEND_MAC, LAN_MAC, ROUTER_MAC, VIP, WAN_MAC } from "../../test/fixtures/gateway.ts";
import { Lab } from "../../test/lab/lab.ts";
import type { Namespace } from "../../test/lab/namespace.ts";
import type { LabProcess } from "../../test/lab/process.ts";
import { waitFor } from "../../test/lab/wait-for.ts";
import type { Tools } from "./tools.ts";

export const GENERATOR_CORE = 1;
export const GATEWAY_CORE = 0;
const OPENING_ATTEMPTS = 10;
const FIRST_CLIENT = "11.0.0.0";

const frame = (
  fields: Pick<
    FrameFields,
    "sourceMac" | "destinationMac" | "source" | "destination" | "sourcePort" | "destinationPort"
  >,
) => Buffer.from(ipv4Frame({ ...fields, protocol: 6, flags: ACK, payload: new Uint8Array(10) })).toString("hex");

const REQUEST = frame({
  sourceMac: ROUTER_MAC,
  destinationMac: WAN_MAC,
  source: FIRST_CLIENT,
  destination: VIP,
  sourcePort: 1024,
  destinationPort: 80,
});
const REPLY = frame({
  sourceMac: BACKEND_MAC,
  destinationMac: LAN_MAC,
  source: BACKEND,
  destination: FIRST_CLIENT,
  sourcePort: 8080,
  destinationPort: 1024,
});
/** For those who only forward: the same frames, to the backend itself. */
const DIRECT = frame({
  sourceMac: ROUTER_MAC,
  destinationMac: WAN_MAC,
  source: FIRST_CLIENT,
  destination: BACKEND,
  sourcePort: 1024,
  destinationPort: 8080,
});

export class ForwardNetwork {
  readonly lab: Lab;
  readonly generator: Namespace;
  readonly node: Namespace;
  readonly sink: Namespace;
  readonly tools: Tools;
  readonly #counter: BpfObject;
  readonly #arrived: BpfMap;

  constructor(tools: Tools) {
    this.tools = tools;
    this.lab = new Lab("slg");
    this.generator = this.lab.namespace("gen");
    this.node = this.lab.namespace("node");
    this.sink = this.lab.namespace("sink");
    this.lab.connect(
      {
        namespace: this.generator,
        device: "gen0",
        mac: ROUTER_MAC,
        addresses: ["10.1.0.2/24"],
        offload: { tx: false },
      },
      { namespace: this.node, device: "net0", mac: WAN_MAC, addresses: ["10.1.0.1/24"] },
    );
    this.lab.connect(
      { namespace: this.node, device: "lan0", mac: LAN_MAC, addresses: ["10.2.0.1/16"] },
      { namespace: this.sink, device: "sink0", mac: BACKEND_MAC, addresses: [`${BACKEND}/16`], offload: { tx: false } },
    );
    // A veth takes frames that were sent by XDP only where NAPI runs: with GRO, or a program in native mode.
    this.generator.offload("gen0", { gro: true });
    for (const device of ["net0", "lan0"]) this.node.offload(device, { gro: true });
    this.node.ip(
      `neigh replace 10.1.0.2 lladdr ${ROUTER_MAC} dev net0 nud permanent`,
      `neigh replace ${BACKEND} lladdr ${BACKEND_MAC} dev lan0 nud permanent`,
      "route add default via 10.1.0.2",
    );
    for (const key of ["all", "net0", "lan0"]) this.node.sysctl(`net.ipv4.conf.${key}.rp_filter`, 0);
    this.node.sysctl("net.ipv4.ip_forward", 1);
    this.#counter = BpfObject.load(tools.object);
    this.#arrived = this.#counter.map("arrived");
    const program = this.#counter.program("sink");
    const link = insideNetworkNamespace(`/run/netns/${this.sink.name}`, () =>
      attachXdp({ program, interface: "sink0", mode: "native" }),
    );
    this.lab.onClose(() => {
      link.detach();
      this.#counter.close();
    });
  }

  /** Frames that have come to the sink. */
  arrived(): number {
    const value = new Uint8Array(this.#arrived.valueSize);
    this.#arrived.lookup(new Uint8Array(4), value);
    const view = new DataView(value.buffer);
    let sum = 0;
    for (let at = 0; at < value.byteLength; at += 8) sum += Number(view.getBigUint64(at, true));
    return sum;
  }

  /**
   * Opens flows by a frame in each direction, or only by requests where the backend can't know what they looked like. A
   * reply counts only after its request, and a busy machine loses some: each direction is repeated until all have come.
   */
  async openFlows(flows: number, directions: "both" | "request" = "both"): Promise<void> {
    const send = async (from: Namespace, device: string, which: string, first: string, seen: () => number) => {
      for (let attempt = 0; attempt < OPENING_ATTEMPTS; attempt++) {
        const before = seen();
        const words = [this.tools.openFlows, device, `${flows}`, which, first];
        const { status, stderr } = await from.tryLater(words, { timeoutSeconds: 120 });
        if (status !== 0) throw new Error(stderr);
        await standsStill(seen);
        if (seen() - before >= flows) return;
      }
      throw new Error(`${which} frames of ${flows} flows did not all pass in ${OPENING_ATTEMPTS} attempts`);
    };
    await send(this.generator, "gen0", "request", REQUEST, () => this.arrived());
    if (directions === "both") await send(this.sink, "sink0", "reply", REPLY, () => this.#replied());
  }

  /** Frames that have come back to the generator. */
  #replied(): number {
    const text = this.generator.run(["ip", "-j", "-s", "link", "show", "gen0"]);
    const [link] = JSON.parse(text) as [{ stats64: { rx: { packets: number } } }];
    return link.stats64.rx.packets;
  }

  /** @param kind `direct`: to the backend's address; `flood`: SYNs of clients that nobody has seen. */
  async generate(flows: number, seconds: number, kind: "vip" | "direct" | "flood" = "vip"): Promise<LabProcess> {
    const first = kind === "direct" ? DIRECT : REQUEST;
    const more = kind === "flood" ? ["random"] : [];
    const words = [this.tools.object, "gen0", `${flows}`, `${seconds}`, `${GENERATOR_CORE}`, first, ...more];
    const process = this.generator.start("generator", [this.tools.generator, ...words]);
    await waitFor("the generator", () => process.log().includes("sending") || process.exit() !== null, {
      seen: () => process.log(),
    });
    return process;
  }

  close(): void {
    this.lab.close();
  }
}

const STILL_MILLISECONDS = 500;

async function standsStill(value: () => number): Promise<void> {
  for (let last = Number.NaN, now = value(); now !== last; last = now, now = value()) await sleep(STILL_MILLISECONDS);
}
