/**
 * Backends that know nothing of Sluice: hosts of the router's, with the Service's addresses on their loopback, that open
 * tunnels as any Linux host can. The gateway sends them requests in tunnels; they answer clients themselves.
 *
 *    client ---- router ---- node1, the gateway
 *                  | `------ plain1  10.3.1.2  fd00:3:1::2      lo: 192.168.10.100  fd00:10::100
 *                  `-------- plain2  10.3.2.2  fd00:3:2::2      lo: the same
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Capture } from "../lab/capture.ts";
import { curl, uploadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { type Backends, type DualStack, dualStack, type MakeBackends, PLACES } from "../lab/dual-stack.ts";
import { type Backend, host, startServers } from "../lab/dual-stack-host.ts";
import { ipPacket } from "../lab/ip-packet.ts";
import { Lab } from "../lab/lab.ts";
import { attachProgram, compileProgram } from "../lab/traffic-program.ts";
import { waitFor } from "../lab/wait-for.ts";

const plainHosts: MakeBackends = async (lab, _node, router): Promise<Backends> => {
  const object = compileProgram(lab, "open-tunnels");
  router.sysctl("net.ipv4.conf.all.rp_filter", 0);
  const start = async (name: string, number: number, service: "web" | "narrow"): Promise<Backend> => {
    const namespace = host(lab, name);
    const [ipv4, ipv6] = [`10.3.${number}`, `fd00:3:${number}:`];
    lab.connect(
      { namespace: router, device: `to-${name}`, addresses: [`${ipv4}.1/24`, `${ipv6}:1/64`], offload: { tx: false } },
      { namespace, device: "eth0", addresses: [`${ipv4}.2/24`, `${ipv6}:2/64`] },
    );
    namespace.ip(`route add default via ${ipv4}.1`, `route add default via ${ipv6}:1`);
    for (const places of PLACES) namespace.ip(`addr add ${places[service]}/${places.family === 4 ? 32 : 128} dev lo`);
    attachProgram(namespace, "eth0", object, "ingress");
    return { pod: await startServers(name, namespace), ipv4: `${ipv4}.2`, ipv6: `${ipv6}:2` };
  };
  const web = [await start("plain1", 1, "web"), await start("plain2", 2, "web")];
  return { web, narrow: await start("narrow", 3, "narrow"), inside: "stack", elsewhere: true };
};

describe.each([
  { dispatch: "ipip", tunnels: { 4: "ip proto 4", 6: "ip6 proto 41" } },
  { dispatch: "gue", tunnels: { 4: "udp dst port 6080", 6: "udp dst port 6080" } },
] as const)("dsr, $dispatch", ({ dispatch, tunnels }) => {
  let lab: Lab;
  let network: DualStack;
  let body: string;

  beforeAll(async () => {
    lab = new Lab("sln");
    network = await dualStack(lab, plainHosts, {
      switches: { "bpf-lb-mode": "dsr", "bpf-lb-dsr-dispatch": dispatch },
    });
    body = join(lab.folder, "body");
    writeFileSync(body, deterministicBody(TWENTY_MEGABYTES));
  });

  afterAll(() => lab?.close());

  test.each(PLACES)("answer as the Service, past the gateway (IPv$family)", async ({ family, client, web, node }) => {
    const url = `http://${family === 4 ? web : `[${web}]`}:80/`;
    const toHosts = await Capture.start(lab, network.router, "to-node", `src host ${node} and ${tunnels[family]}`);
    const back = await Capture.start(lab, network.router, "to-node", `src host ${web}`);
    const seenBefore = network.web.map((pod) => pod.requests().length);
    const answers = Array.from({ length: 20 }, () => curl(network.client, url));
    expect(answers.map(({ error }) => error)).toEqual(Array(20).fill(""));
    expect(new Set(answers.map((answer) => answer.body))).toEqual(new Set(["plain1", "plain2"]));
    const requests = network.web.flatMap((pod, index) => pod.requests().slice(seenBefore[index]));
    expect(new Set(requests.map((request) => request.client.replace("::ffff:", "")))).toEqual(new Set([client]));
    await waitFor("the capture to have the requests", () => toHosts.frames().length >= 60);
    await toHosts.stop();
    // In tunnels, more than an empty packet of its own has: the client learns what they take.
    expect(await uploadSha256(network.client, `${url}upload`, body)).toBe(sha256(deterministicBody(TWENTY_MEGABYTES)));
    await back.stop();
    const hosts = new Set(toHosts.frames().map((frame) => ipPacket(frame)!.destination));
    expect(hosts).toEqual(new Set(family === 4 ? ["10.3.1.2", "10.3.2.2"] : ["fd00:3:1::2", "fd00:3:2::2"]));
    expect(back.frames()).toEqual([]);
  });
});
