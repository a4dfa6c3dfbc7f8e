/** Who forwards in the benchmark: each sets itself up in a fresh network and says which frames it is to get. */
import { spawnSync } from "node:child_process";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { attachXdp } from "../../src/xdp/attach.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { insideNetworkNamespace } from "../../src/xdp/namespace.ts";
import { BACKEND, VIP } from "../../test/fixtures/gateway.ts";
import type { LabProcess } from "../../test/lab/process.ts";
import { waitFor } from "../../test/lab/wait-for.ts";
import { collectionsOf, startSluice } from "../harness/sluice.ts";
import { type ForwardNetwork, GATEWAY_CORE } from "./network.ts";

/** For programs that are bundled elsewhere. */
const ADDON = fileURLToPath(new URL("../../build/sluice.node", import.meta.url));

export interface Running {
  /** Whose time on a core counts; `null` when it is all in the kernel, on the generator's core. */
  readonly process: LabProcess | null;
  /** Where the frames go to. */
  readonly traffic: "vip" | "direct";
  /** How often the garbage collector has run so far, where there is one. */
  readonly collections?: () => number;
}

export interface Contender {
  readonly name: string;
  start(network: ForwardNetwork, flows: number): Promise<Running>;
}

const onItsCore = (command: readonly string[]) => ["taskset", "-c", `${GATEWAY_CORE}`, ...command];

function sluice(name: string, datapath: "userspace" | "hybrid", xdpMode: "auto" | "native"): Contender {
  return {
    name,
    async start(network, flows) {
      const flowRows = 1 << Math.max(17, Math.ceil(Math.log2(flows * 4)));
      const options = { datapath, xdpMode, flowRows, prefix: onItsCore([]) };
      const process = await startSluice(network.lab, network.node, options);
      await network.openFlows(flows);
      return { process, traffic: "vip", collections: () => collectionsOf(process) };
    },
  };
}

function socketForwarder(name: string, command: (network: ForwardNetwork, flows: number) => string[]): Contender {
  return {
    name,
    async start(network, flows) {
      const env = { SLUICE_NATIVE: ADDON };
      const process = network.node.start("forwarder", onItsCore(command(network, flows)), { env });
      await waitFor(name, () => process.log().includes("forwarding"), { seen: () => process.log() });
      return { process, traffic: "vip" };
    },
  };
}

function nftables(name: string, masquerade: boolean): Contender {
  const source = masquerade ? "chain post { type nat hook postrouting priority 100; oifname lan0 masquerade; }" : "";
  const rules = `table ip bench {
    chain pre { type nat hook prerouting priority -100; ip daddr ${VIP} tcp dport 80 dnat to ${BACKEND}:8080; }
    ${source}
  }`;
  return {
    name,
    async start(network, flows) {
      network.node.run(["nft", "-f", "-"], { input: rules });
      network.node.sysctl("net.netfilter.nf_conntrack_tcp_be_liberal", 1);
      // Masqueraded replies go to ports that only the node knows.
      await network.openFlows(flows, masquerade ? "request" : "both");
      return { process: null, traffic: "vip" };
    },
  };
}

const kernelForwarding: Contender = {
  name: "kernel forwarding",
  start: async () => ({ process: null, traffic: "direct" }),
};

const xdpRedirect: Contender = {
  name: "XDP redirect",
  async start({ tools, node, lab }) {
    const object = BpfObject.load(tools.object);
    const link = insideNetworkNamespace(`/run/netns/${node.name}`, () => {
      const [lan] = JSON.parse(node.run(["ip", "-j", "link", "show", "lan0"])) as [{ ifindex: number }];
      object.map("way_out").update(words(0), words(lan.ifindex));
      return attachXdp({ program: object.program("redirect"), interface: "net0", mode: "native" });
    });
    lab.onClose(() => {
      link.detach();
      object.close();
    });
    return { process: null, traffic: "vip" };
  },
};

/** xdp-bench of xdp-tools: their forwarder by a devmap. */
const xdpTools: Contender = {
  name: "xdp-tools redirect-map",
  async start({ node }) {
    const process = node.start("xdp-bench", onItsCore(["xdp-bench", "redirect-map", "net0", "lan0"]));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    if (process.exit() !== null) throw new Error(firstLine(process.log()));
    return { process: null, traffic: "vip" };
  },
};

const testpmd: Contender = {
  name: "DPDK testpmd",
  async start({ node }) {
    const device = (number: number, name: string) =>
      `--vdev=net_af_xdp${number},iface=${name},start_queue=0,queue_count=1`;
    const eal = [
      "--no-pci",
      "--no-huge",
      "-m",
      "512",
      "--lcores",
      `(0,1)@${GATEWAY_CORE}`,
      device(0, "net0"),
      device(1, "lan0"),
    ];
    const process = node.start("testpmd", [
      "dpdk-testpmd",
      ...eal,
      "--",
      "--forward-mode=mac",
      "--auto-start",
      "--nb-cores=1",
      "--total-num-mbufs=16384",
    ]);
    const started = () => /start packet forwarding/i.test(process.log());
    await waitFor("testpmd", () => started() || process.exit() !== null, { seen: () => process.log() });
    if (!started()) throw new Error(firstLine(process.log()));
    return { process, traffic: "vip" };
  },
};

export const SLUICE_USERSPACE = sluice("Sluice userspace", "userspace", "auto");
export const SLUICE_HYBRID = sluice("Sluice hybrid", "hybrid", "native");
export const C_L2FWD = socketForwarder("C l2fwd", ({ tools }) => [
  tools.xsk,
  tools.object,
  "net0",
  "lan0",
  "l2fwd",
  "0",
]);
export const TS_L2FWD = socketForwarder("TypeScript l2fwd", ({ tools }) => [
  execPath,
  tools.l2fwd,
  tools.object,
  "net0",
  "lan0",
]);
export const C_NAT = socketForwarder("C NAT", ({ tools }, flows) => [
  tools.xsk,
  tools.object,
  "net0",
  "lan0",
  "nat",
  `${flows}`,
]);
export const NFT = nftables("nftables DNAT", false);
export const NFT_MASQUERADE = nftables("nftables DNAT + masquerade", true);
export const KERNEL = kernelForwarding;
export const XDP_REDIRECT = xdpRedirect;
export const XDP_TOOLS = xdpTools;
export const TESTPMD = testpmd;

/** Why a contender that another package brings can't run here; `null` when it may. */
export function missing(contender: Contender): string | null {
  const needed = contender === XDP_TOOLS ? "xdp-bench" : contender === TESTPMD ? "dpdk-testpmd" : null;
  if (needed === null || spawnSync("sh", ["-c", `command -v ${needed}`]).status === 0) return null;
  return `${needed} is not installed`;
}

function firstLine(text: string): string {
  return text.split("\n").find((line) => /error|fail|unable|cannot|couldn/i.test(line)) ?? text.split("\n")[0] ?? "";
}

function words(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
