/**
 * The speakers that are measured, each behind the same verbs. Where a daemon reads its routes from a configuration, they
 * are there before the session begins; GoBGP takes them by its API, and is timed from that command.
 */
import { writeFileSync } from "node:fs";
import { Frr } from "../../test/lab/frr.ts";
import type { Lab } from "../../test/lab/lab.ts";
import type { LabProcess } from "../../test/lab/process.ts";
import { waitFor } from "../../test/lab/wait-for.ts";
import { type Memory, memoryOf } from "./memory.ts";
import { whenAtRest } from "./processor-time.ts";
import { prefixOf, RECEIVER, type Receiver, SENDER } from "./receiver.ts";
import { sluice } from "./sluice-sender.ts";

export interface Sender {
  prepare(count: number): Promise<void>;
  /** Begins the session. */
  start(): Promise<void>;
  /** Tells the routes, where that is a step of its own: the moment at which it began, else `null`. */
  announce(): Promise<number | null>;
  /** `null` where all that it can do is to end. */
  readonly withdraw: (() => Promise<void>) | null;
  /** The moment when `count` routes were received; `null` where it cannot be asked. */
  whenReceived(count: number): Promise<number | null>;
  memory(): Memory;
  /** Lets go of what is held outside of the lab. */
  close?(): Promise<void>;
}

export type SenderName = "Sluice" | "GoBGP" | "FRR" | "BIRD" | "ExaBGP";

export const SENDERS: Readonly<Record<SenderName, (lab: Lab, receiver: Receiver) => Sender>> = {
  Sluice: sluice,
  BIRD: bird,
  FRR: frr,
  GoBGP: gobgp,
  ExaBGP: exabgp,
};

const WAIT = { timeoutSeconds: 240, everyMilliseconds: 5 };

function gobgp(lab: Lab, receiver: Receiver): Sender {
  let daemon: LabProcess;
  const socket = `${lab.folder}/gobgp.sock`;
  const ask = (...words: string[]) =>
    receiver.senderNamespace.run(["gobgp", "--target", `unix://${socket}`, ...words], { timeoutSeconds: 600 });
  return {
    prepare: async (size) => {
      writeFileSync(
        `${lab.folder}/gobgp.yaml`,
        `global:\n  config: { as: 65000, router-id: ${SENDER} }\nneighbors: []\n`,
      );
      daemon = receiver.senderNamespace.start("gobgpd", [
        "gobgpd",
        "-f",
        `${lab.folder}/gobgp.yaml`,
        "-t",
        "yaml",
        "--api-hosts",
        `unix://${socket}`,
        "--pprof-disable",
      ]);
      await waitFor("GoBGP to answer", () => ask("global"));
      // All routes are in its table before the session begins, by its MRT import: the fastest way that it has.
      writeFileSync(`${lab.folder}/routes.mrt`, mrt(size));
      ask("mrt", "inject", "global", `${lab.folder}/routes.mrt`);
      const wait = { timeoutSeconds: 600, everyMilliseconds: Math.max(5, size / 1000) };
      await waitFor("GoBGP's table", () => ask("global", "rib", "summary").includes(`Destination: ${size},`), wait);
    },
    start: async () => void ask("neighbor", "add", RECEIVER, "as", "65001"),
    announce: async () => null,
    withdraw: async () => void ask("global", "rib", "del", "all"),
    whenReceived: async (size) => {
      // To be asked costs GoBGP up to a second of a locked table, so it is asked only when it has nothing more to do.
      for (;;) {
        const restsSince = await whenAtRest(daemon.pid);
        if (ask("neighbor", "-j").includes(`"accepted":${size}}`)) return restsSince;
      }
    },
    memory: () => memoryOf(daemon.pid),
  };
}

function frr(lab: Lab, receiver: Receiver): Sender {
  const base = `router bgp 65000\n bgp router-id ${SENDER}\n no bgp ebgp-requires-policy\n no bgp network import-check\n`;
  const router = new Frr(lab, receiver.senderNamespace, base);
  const load = (lines: readonly string[]) => {
    writeFileSync(`${lab.folder}/lines.conf`, lines.join("\n"));
    router.load(`${lab.folder}/lines.conf`);
  };
  return {
    prepare: async (count) => {
      await router.start();
      const networks = Array.from({ length: count }, (_, i) => `network ${prefixOf(i, 20)}`);
      load(["router bgp 65000", "address-family ipv4 unicast", ...networks]);
    },
    start: async () =>
      router.configure(
        "router bgp 65000",
        `neighbor ${RECEIVER} remote-as 65001`,
        `neighbor ${RECEIVER} timers connect 1`,
      ),
    announce: async () => null,
    // A filter toward the peer: to take away the lines of the configuration one by one would measure their parser.
    withdraw: async () => {
      router.configure("ip prefix-list NONE seq 5 deny any");
      router.configure("router bgp 65000", "address-family ipv4 unicast", `neighbor ${RECEIVER} prefix-list NONE out`);
    },
    whenReceived: async (count) => {
      type Summary = { ipv4Unicast?: { peers?: Record<string, { pfxRcd: number }> } };
      const received = () => router.vtyshJson<Summary>("show bgp summary json").ipv4Unicast?.peers?.[RECEIVER]?.pfxRcd;
      await waitFor("FRR's table", () => received() === count, WAIT);
      return performance.now();
    },
    memory: () => memoryOf(router.pidOf("bgpd")),
  };
}

function bird(lab: Lab, receiver: Receiver): Sender {
  let daemon: LabProcess;
  const control = `${lab.folder}/sender.ctl`;
  const config = `${lab.folder}/sender.conf`;
  const ask = (...words: string[]) =>
    receiver.senderNamespace.run(["birdc", "-s", control, ...words], { timeoutSeconds: 240 });
  const write = (count: number) => {
    const lines = Array.from({ length: count }, (_, i) => `  route ${prefixOf(i, 20)} blackhole;`);
    const timers = "hold time 90; connect retry time 1; connect delay time 0; error wait time 1,2;";
    writeFileSync(
      config,
      `router id ${SENDER};\nprotocol device {}\nprotocol static many { ipv4;\n${lines.join("\n")}\n}\n` +
        `protocol bgp receiver { disabled yes; local ${SENDER} as 65000; neighbor ${RECEIVER} as 65001; ${timers} ipv4 { import all; export where source = RTS_STATIC; }; }\n`,
    );
  };
  return {
    prepare: async (count) => {
      write(count);
      daemon = receiver.senderNamespace.start("bird", ["bird", "-f", "-c", config, "-s", control]);
      await waitFor("BIRD to answer", () => ask("show", "route", "count").includes(`${count} of`), WAIT);
    },
    start: async () => void ask("enable", "receiver"),
    announce: async () => null,
    withdraw: async () => void ask("disable", "many"),
    whenReceived: async (count) => {
      await waitFor(
        "BIRD's table",
        () => ask("show", "route", "count", "protocol", "receiver").includes(`${count} of`),
        WAIT,
      );
      return performance.now();
    },
    memory: () => memoryOf(daemon.pid),
  };
}

function exabgp(lab: Lab, receiver: Receiver): Sender {
  let daemon: LabProcess;
  return {
    prepare: async (size) => {
      const feeder = `import sys, time\nfor i in range(${size}):\n    print("announce route 20.%d.%d.%d/32 next-hop ${SENDER}" % (i >> 16 & 255, i >> 8 & 255, i & 255))\nsys.stdout.flush()\nsys.stdin.readline()\ntime.sleep(1000)\n`;
      writeFileSync(`${lab.folder}/feeder.py`, feeder);
      writeFileSync(
        `${lab.folder}/exabgp.conf`,
        `process feed { run /usr/bin/python3 ${lab.folder}/feeder.py; encoder text; }\n` +
          `neighbor ${RECEIVER} { local-as 65000; peer-as 65001; local-address ${SENDER}; router-id ${SENDER}; family { ipv4 unicast; } api { processes [ feed ]; } }\n`,
      );
    },
    start: async () => {
      const env = {
        "exabgp.daemon.user": "root",
        "exabgp.daemon.drop": "false",
        "exabgp.log.destination": "stdout",
        "exabgp.api.cli": "false",
        "exabgp.api.ack": "false",
      };
      daemon = receiver.senderNamespace.start("exabgp", ["exabgp", `${lab.folder}/exabgp.conf`], { env });
    },
    announce: async () => null,
    withdraw: null,
    whenReceived: async () => null,
    memory: () => memoryOf(daemon.pid),
  };
}

/** GoBGP's client ends before its last records are taken: these repeat the last route, and may be lost. */
const PADDING = 20_000;

/** A table dump (RFC 6396) with the routes: one peer, one attribute set. */
function mrt(count: number): Uint8Array {
  const peerTable = record(1, Uint8Array.of(10, 2, 0, 1, 0, 0, 0, 1, 2, 10, 2, 0, 1, 10, 2, 0, 1, 0, 0, 0xfd, 0xe8));
  const attributes = Uint8Array.of(0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 10, 2, 0, 1);
  const parts = [peerTable];
  for (let n = 0; n < count + PADDING; n++) {
    const i = Math.min(n, count - 1);
    const body = new Uint8Array(4 + 1 + 4 + 2 + 8 + attributes.length);
    const view = new DataView(body.buffer);
    view.setUint32(0, n);
    body.set([32, 20 + (i >>> 24), (i >>> 16) & 255, (i >>> 8) & 255, i & 255], 4);
    view.setUint16(9, 1);
    view.setUint16(11, 0);
    view.setUint16(17, attributes.length);
    body.set(attributes, 19);
    parts.push(record(2, body));
  }
  return Buffer.concat(parts);
}

function record(subtype: number, body: Uint8Array): Uint8Array {
  const whole = new Uint8Array(12 + body.length);
  const view = new DataView(whole.buffer);
  view.setUint16(4, 13);
  view.setUint16(6, subtype);
  view.setUint32(8, body.length);
  whole.set(body, 12);
  return whole;
}
