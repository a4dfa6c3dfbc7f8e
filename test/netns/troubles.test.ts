/**
 * What goes wrong for a newcomer, each broken on purpose in a running network, and found by the command that
 * docs/troubleshooting.md names for the symptom.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PacketExplanation } from "../../src/agent/packet-fate.ts";
import { Configuration } from "../lab/configuration.ts";
import { curl } from "../lab/curl.ts";
import { Gateway, SLUICE } from "../lab/gateway.ts";
import { Lab } from "../lab/lab.ts";
import { CLIENT_ADDRESS, isVipRouted, type SeedA, seedA, VIP } from "../lab/seed-a.ts";
import { waitFor } from "../lab/wait-for.ts";

const SECOND_SERVICE = `
apiVersion: v1
kind: Service
metadata: {name: late, namespace: default}
spec:
  type: LoadBalancer
  ports: [{protocol: TCP, port: 80}]
`;

let lab: Lab;
let network: SeedA;
let configuration: Configuration;
let gateway: Gateway;

const routed = () => isVipRouted(network);
const says = (words: RegExp, ...command: string[]) =>
  waitFor(`${command.join(" ")} to say ${words}`, () => words.test(gateway.ask(...command)), {
    timeoutSeconds: 30,
    seen: () => gateway.ask(...command),
  });
/** As a table breaks lines, words may stand on two. */
const explained = () => gateway.ask("explain", "service", "default/my-service").replaceAll(/\s+/g, " ");

beforeAll(async () => {
  lab = new Lab("slt");
  network = await seedA(lab);
  configuration = new Configuration(lab, "seed-a");
  const place = { configuration: configuration.folder, node: "node1", uplink: "net0" };
  gateway = await Gateway.start(lab, network.node, place);
  await waitFor("the route", routed, { timeoutSeconds: 30 });
});

afterAll(() => lab?.close());

test("a wrong AS: `bgp peers` has the router's answer and what to do, and it heals by itself when it is put right", async () => {
  configuration.edit("peerASN: 65001", "peerASN: 65099");
  await says(/Bad Peer AS|another AS|AS 65001/i, "bgp", "peers");
  expect(gateway.ask("bgp", "peers")).toContain("Hint:");
  configuration.edit("peerASN: 65099", "peerASN: 65001");
  await waitFor("the route again", routed, { timeoutSeconds: 60 });
});

test("no endpoint: `explain service` says so at the node, and `explain packet` names the reason", async () => {
  configuration.edit(/ready: true(.*\n.*\n.*\n.*)ready: true/, "ready: false$1ready: false");
  configuration.edit(/serving: true(.*\n.*\n.*\n.*)serving: true/, "serving: false$1serving: false");
  await waitFor("the explanation", () => /no ready endpoint/.test(explained()), {
    timeoutSeconds: 20,
    seen: explained,
  });
  const words = ["explain", "packet", CLIENT_ADDRESS, "40000", VIP, "80", "tcp", "-o", "json"];
  expect(JSON.parse(gateway.ask(...words)) as PacketExplanation).toMatchObject({ reason: "NoBackend" });
  configuration.edit(/ready: false(.*\n.*\n.*\n.*)ready: false/, "ready: true$1ready: true");
  configuration.edit(/serving: false(.*\n.*\n.*\n.*)serving: false/, "serving: true$1serving: true");
  await waitFor("an answer", () => routed() && curl(network.client, `http://${VIP}/`).body !== "", {
    timeoutSeconds: 30,
  });
});

test("a pool that is used up: the Service that came late is told, and the one that has the address keeps it", async () => {
  configuration.write("late.yaml", SECOND_SERVICE);
  await says(/Pool seed-a-pool: it has no address left/, "explain", "service", "default/late");
  expect(explained()).toContain(`default/my-service: ${VIP} from pool seed-a-pool`);
  configuration.remove("late.yaml");
});

test("a manifest that makes no sense: `status` names file, object and field, and traffic goes on", async () => {
  configuration.edit('cidr: "192.168.10.100/32"', 'cidr: "192.168.10.100/320"');
  await says(/CiliumLoadBalancerIPPool\/seed-a-pool[\s\S]*cidr/, "status");
  expect(curl(network.client, `http://${VIP}/`).body).toMatch(/^pod/);
  configuration.edit('cidr: "192.168.10.100/320"', 'cidr: "192.168.10.100/32"');
});

test("a taken port: `doctor` says which, for what, and how to find out by whom", async () => {
  const program = 'require("node:dgram").createSocket("udp4").bind(9473)';
  const holder = network.router.start("holder", [process.execPath, "-e", program]);
  const doctor = () =>
    network.router.try([SLUICE, "doctor", "--uplink", "to-node", "--socket", `${lab.folder}/none.sock`]);
  await waitFor("the port to be taken", () => doctor().stdout.includes("UDP 9473"), { seen: () => doctor().stdout });
  const { status, stdout } = doctor();
  expect(status).toBe(1);
  expect(stdout.replaceAll(/\s+/g, " ")).toContain("error: UDP 9473, for heartbeats between nodes, is taken");
  expect(stdout).toContain("`ss -lnp` tells by whom");
  await holder.stop();
});
