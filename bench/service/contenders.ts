/** Who stands between client and backend in the benchmarks of connections: each sets itself up in a fresh network. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DatapathMode } from "../../src/agent/run-options.ts";
import { BACKEND, VIP } from "../../test/fixtures/gateway.ts";
import { waitFor } from "../../test/lab/wait-for.ts";
import { ONE_SERVICE, startSluice } from "../harness/sluice.ts";
import { BACKEND_PORT, type ServiceNetwork } from "./network.ts";

export interface ServiceContender {
  readonly name: string;
  /** @returns the URL to ask. */
  start(network: ServiceNetwork): Promise<string>;
}

const VIP_URL = `http://${VIP}:80/`;

export const DIRECT: ServiceContender = {
  name: "direct",
  start: async () => `http://${BACKEND}:${BACKEND_PORT}/`,
};

function sluice(
  name: string,
  datapath: DatapathMode,
  xdpMode: "auto" | "native",
  manifests = ONE_SERVICE,
): ServiceContender {
  return {
    name,
    async start({ lab, node }) {
      await startSluice(lab, node, { datapath, xdpMode, manifests });
      return VIP_URL;
    },
  };
}

function nftables(name: string, masquerade: boolean): ServiceContender {
  const source = masquerade ? "chain post { type nat hook postrouting priority 100; oifname lan0 masquerade; }" : "";
  const input = `table ip bench {
    chain pre { type nat hook prerouting priority -100; ip daddr ${VIP} tcp dport 80 dnat to ${BACKEND}:${BACKEND_PORT}; }
    ${source}
  }`;
  return {
    name,
    async start({ node }) {
      node.run(["nft", "-f", "-"], { input });
      return VIP_URL;
    },
  };
}

const HAPROXY_CONFIGURATION = `\
global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen web
  bind ${VIP}:80
  server one ${BACKEND}:${BACKEND_PORT}
`;

export const HAPROXY: ServiceContender = {
  name: "HAProxy, TCP mode",
  async start({ lab, node, client }) {
    const file = join(lab.folder, "haproxy.cfg");
    writeFileSync(file, HAPROXY_CONFIGURATION);
    node.ip(`addr add ${VIP}/32 dev lo`);
    node.sysctl("net.ipv4.ip_local_port_range", "1024 65535");
    node.sysctl("net.ipv4.tcp_tw_reuse", 1);
    const haproxy = node.start("haproxy", ["haproxy", "-db", "-f", file]);
    const answers = () => client.try(["curl", "-sf", "--max-time", "1", VIP_URL]).status === 0;
    await waitFor("HAProxy", answers, { seen: () => haproxy.log() });
    return VIP_URL;
  },
};

/** As long as an idle worker looks: IDLE_TURNS of worker/datapath-worker.ts. */
const LOOKING_MICROSECONDS = 50;

/** Takes one connection at a time. What is slow by it is not slow by what Sluice does with a frame. */
export const SPINNING_RELAY: ServiceContender = {
  name: "TCP relay in C, spinning",
  async start({ lab, node, client }) {
    const program = join(lab.folder, "spinning-relay");
    execFileSync("cc", ["-O2", "-D_GNU_SOURCE", "-o", program, join(import.meta.dirname, "spinning-relay.c")]);
    node.ip(`addr add ${VIP}/32 dev lo`);
    const words = [VIP, "80", BACKEND, `${BACKEND_PORT}`, `${LOOKING_MICROSECONDS}`];
    const relay = node.start("spinning-relay", [program, ...words]);
    const answers = () => client.try(["curl", "-sf", "--max-time", "1", VIP_URL]).status === 0;
    await waitFor("the relay", answers, { seen: () => relay.log() });
    return VIP_URL;
  },
};

export const SLUICE_USERSPACE = sluice("Sluice userspace", "userspace", "auto");
export const SLUICE_HYBRID = sluice("Sluice hybrid", "hybrid", "native");
export const SLUICE_KERNEL = sluice("Sluice kernel", "kernel", "native");
export const SLUICE_SOURCE_NAT = sluice(
  "Sluice hybrid, source NAT",
  "hybrid",
  "native",
  ONE_SERVICE.replace(
    "metadata: {name: web, namespace: default}",
    "metadata: {name: web, namespace: default, annotations: {sluice.dev/source-nat: node}}",
  ),
);
export const NFT = nftables("nftables DNAT", false);
export const NFT_MASQUERADE = nftables("nftables DNAT + masquerade", true);
