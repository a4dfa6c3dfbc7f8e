import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WhoAnswer } from "../../src/announcer/announcer-message.ts";
import { ask, tell } from "../../src/api/client.ts";
import { formatIpAddress, parseIpAddress } from "../../src/net/ip-address.ts";
import { solicitedNodeGroup } from "../../src/wire/resolution.ts";
import { Capture } from "../lab/capture.ts";
import { curl } from "../lab/curl.ts";
import {
  agreed,
  type L2Node,
  type L2Segment,
  l2Segment,
  l2Status,
  running,
  startGateways,
  WEB,
} from "../lab/l2-segment.ts";
import { Lab } from "../lab/lab.ts";
import { attachProgram, compileProgram } from "../lab/traffic-program.ts";
import { waitFor } from "../lab/wait-for.ts";

const lab = new Lab("sln2");
let segment: L2Segment;

beforeAll(async () => {
  segment = await l2Segment(lab);
  await startGateways(segment, segment.nodes);
}, 120_000);
afterAll(() => lab.close());

describe("twenty addresses on a link with five gateways", () => {
  test("have owners that differ by at most one address", async () => {
    const counts = async () => {
      const owners = [...(await agreed(segment)).values()];
      return [...Map.groupBy(owners, (owner) => owner).values()].map((group) => group.length);
    };
    let seen: number[] = [];
    const isBalanced = async () => {
      seen = await counts();
      return seen.join() === "4,4,4,4,4";
    };
    await waitFor("the owners to be balanced", isBalanced, { timeoutSeconds: 20, seen: () => seen.join() });
  });

  test("are reached over both families, on the link and through the router", () => {
    for (const from of [segment.client, segment.far]) {
      for (const url of [`http://${WEB[4]}/`, `http://[${WEB[6]}]/`]) {
        expect(curl(from, url), `${from.name} ${url}`).toMatchObject({ exitCode: 0 });
      }
    }
  });

  test("are answered for by their owner alone, and by none behind the router", async () => {
    const owners = await agreed(segment);
    for (const vip of [WEB[4], WEB[6]]) {
      const asker = segment.nodes.find(({ name }) => name !== owners.get(vip))!;
      const answers = await ask<WhoAnswer[]>(asker.gateway!.socket, `/v1/l2/who?address=${vip}`);
      expect(answers.map(({ node }) => node)).toEqual([owners.get(vip)]);
    }
    const arping = segment.client.try(["arping", "-c", "3", "-w", "3", "-I", "eth0", WEB[4]]).stdout;
    expect(new Set(arping.match(/([0-9a-f]{2}:){5}[0-9a-f]{2}/gi)).size).toBe(1);
    expect(segment.router.run(["ip", "neigh", "show", "dev", "to-n6"])).not.toContain(WEB[4]);
  });

  test("are asked for in groups that their owner alone is in, until it gives them up, as it tells the switch", async () => {
    const owners = await agreed(segment);
    const vips = [...owners.keys()].filter((vip) => vip.includes(":"));
    const groupOf = (vip: string) => formatIpAddress(solicitedNodeGroup(parseIpAddress(vip)!));
    const joined = ({ namespace }: L2Node) => {
      const groups = namespace.run(["ip", "-6", "maddr", "show", "dev", "net0"]).split(/\s+/);
      return vips.filter((vip) => groups.includes(groupOf(vip)));
    };
    const onLink = running(segment);
    for (const node of onLink) expect(joined(node)).toEqual(vips.filter((vip) => owners.get(vip) === node.name));

    const from = onLink.find(({ name }) => name === owners.get(WEB[6]))!;
    const to = onLink.find((node) => node !== from)!;
    // Hop-by-hop options come first: the router alert of RFC 3810 §5.
    const reports = await Capture.start(lab, segment.bridge, "bridge", "ip6 proto 0");
    await tell(from.gateway!.socket, `/v1/l2/move?address=${WEB[6]}&node=${to.name}`);
    await waitFor("the new owner to join", () => joined(to).includes(WEB[6]));
    await waitFor("the old owner to leave", () => !joined(from).includes(WEB[6]));
    const said = (change: string) => () => reports.text("-v").includes(`gaddr ${groupOf(WEB[6])} ${change}`);
    await waitFor("the switch to be told of the new owner", said("to_ex"), { seen: () => reports.text("-v") });
    await waitFor("the switch to be told of the old one", said("to_in"), { seen: () => reports.text("-v") });
    await reports.stop();
    expect((await agreed(segment)).get(WEB[6])).toBe(to.name);
  });

  test("are asked for by another node too: an owner that does not answer is told of, until it does", async () => {
    const name = (await agreed(segment)).get(WEB[4]);
    const owner = segment.nodes.find((node) => node.name === name)!;
    const missing = async () => {
      const { owners } = await l2Status(owner);
      return owners.filter(({ unseenBy }) => unseenBy !== null).map(({ address }) => address);
    };
    attachProgram(segment.bridge, owner.bridgePort, compileProgram(lab, "deaf"), "egress");
    const log = () => owner.gateway!.process.log().split("\n");
    const alarm = () => log().find((line) => line.includes("another node asked for the address on the link in vain"));
    const told = await waitFor("the owner to tell", () => alarm() ?? null, { timeoutSeconds: 30 });
    expect(JSON.parse(told)).toMatchObject({ level: 40, address: WEB[4] });
    expect(await missing()).toEqual([WEB[4]]);
    segment.bridge.run(["tc", "qdisc", "del", "dev", owner.bridgePort, "clsact"]);
    await waitFor("the address to be seen", async () => (await missing()).length === 0, { timeoutSeconds: 30 });
    expect((await agreed(segment)).get(WEB[4])).toBe(owner.name);
  });

  test("are given away by a node that hears its router no more, and it gets its share again when it does", async () => {
    const name = (await agreed(segment)).get(WEB[4])!;
    const owner = segment.nodes.find((node) => node.name === name)!;
    const share = async () => [...(await agreed(segment)).values()].filter((one) => one === name).length;
    const gateway = async () => (await l2Status(owner)).links.map((link) => link.gateway).join();
    expect(await gateway()).toBe("not missed");
    attachProgram(segment.bridge, owner.bridgePort, compileProgram(lab, "routerless"), "egress");
    await waitFor("others to own all", async () => (await share()) === 0, { timeoutSeconds: 30, seen: gateway });
    expect(await gateway()).toBe("silent");
    expect((await l2Status(owner)).links).toMatchObject([{ interface: "net0", carrier: true }]);
    for (const url of [`http://${WEB[4]}/`, `http://[${WEB[6]}]/`]) {
      expect(curl(segment.far, url), url).toMatchObject({ exitCode: 0 });
    }
    segment.bridge.run(["tc", "qdisc", "del", "dev", owner.bridgePort, "clsact"]);
    await waitFor("its share to be back", async () => (await share()) === 4, { timeoutSeconds: 40, seen: gateway });
    expect(await gateway()).toBe("not missed");
  });
});
