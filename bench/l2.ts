/**
 * `npm run bench -- l2`: what the agreement on owners costs a node of a cluster of 50 that share a link: heartbeats each
 * 200 ms to and from 49 others, authenticated, over UDP on the loopback interface, 1,000 addresses.
 *
 *     this process: one node, measured by its CPU time      a process of its own: the 49 others
 *
 * SLUICE_BENCH_SECONDS is how long it is looked at, three times, after a hundred seconds of rest.
 */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { HeartbeatSockets } from "../src/announcer/heartbeat-sockets.ts";
import { Pulse } from "../src/announcer/pulse.ts";
import { OwnerAgreement } from "../src/l2/agreement.ts";
import type { AgreementEvent } from "../src/l2/event.ts";
import { EMPTY_STATEMENT, type Heard, type Heartbeat, type Statement } from "../src/l2/heartbeat.ts";
import { DEFAULT_TIMING } from "../src/l2/timing.ts";
import { median, saveResults } from "./results.ts";

const NODES = 50;
const ADDRESSES = 1000;
const PORT = 9499;
/** Until the runtime has compiled what runs all the time; until then that costs more than the rest. */
const WARM_UP_MILLISECONDS = 100_000;
const SECONDS = Number(process.env["SLUICE_BENCH_SECONDS"] ?? 10);
const LOOKS = 3;
const KEY = new TextEncoder().encode("the key of the benchmark");

const names = Array.from({ length: NODES }, (_, index) => `node-${index}.cluster.example`);
const places = new Map(names.map((name, index) => [name, `127.9.0.${index + 1}`]));
const vips = Array.from({ length: ADDRESSES }, (_, index) => ({
  vip: `10.${index >> 8}.${index & 255}.1`,
  candidates: names,
}));

const open = (name: string, session: number, take: (message: Heartbeat, at: number) => void) =>
  new HeartbeatSockets(KEY, PORT, { session: () => session, take }, { 4: places.get(name)!, 6: null });
const fresh = () => 1 + Math.floor(Math.random() * 2 ** 40);

/** The node that is measured: the agreement as it is. */
function measuredNode(name: string): OwnerAgreement {
  const agreement = new OwnerAgreement(name, fresh(), DEFAULT_TIMING, performance.now());
  const step = (event: AgreementEvent) => {
    for (const effect of agreement.step(event, performance.now())) {
      if (effect.type === "send")
        sockets.send(
          effect.message,
          effect.to.map((node) => places.get(node)!),
        );
    }
  };
  const sockets = open(name, agreement.session, (message, at) => step({ type: "message", message, at }));
  step({ type: "plan", members: names, vips });
  const pulse = new Pulse(DEFAULT_TIMING, () => {
    if (agreement.mustHear(performance.now())) sockets.look();
    step({ type: "tick" });
    pulse.follow(agreement.isRestless);
  });
  pulse.follow(true);
  return agreement;
}

/** Another node as the measured one sees it: it owns its share, and says so. */
function playedNode(name: string, index: number): void {
  const claims = vips
    .filter((_, at) => at % NODES === index)
    .map(({ vip }) => ({ vip, term: 1, weak: false, pinned: false }));
  const statement: Statement = { ...EMPTY_STATEMENT, claims };
  const session = fresh();
  let sequence = 0;
  let heard: Heard[] = [];
  let hasOurs = false;
  const sockets = open(name, session, (message) => {
    heard = [{ node: message.from, session: message.session, version: message.version, held: false }];
    hasOurs = message.heard.some(
      ({ node, session: known, version }) => node === name && known === session && version === 1,
    );
  });
  setInterval(() => {
    sockets.look();
    const always = {
      from: name,
      session,
      sequence: ++sequence,
      ready: true,
      draining: false,
      heard,
      version: 1,
      moves: [],
    };
    sockets.send({ ...always, statement: hasOurs ? null : statement }, [places.get(names[0]!)!]);
  }, DEFAULT_TIMING.heartbeatMilliseconds);
}

if (process.argv[2] === "others") {
  for (const [index, name] of names.entries()) if (index > 0) playedNode(name, index);
  process.stdout.write("ready\n");
} else {
  const others = spawn(process.execPath, [fileURLToPath(import.meta.url), "others"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.once("exit", () => others.kill());
  await new Promise((resolve) => others.stdout.once("data", resolve));
  const agreement = measuredNode(names[0]!);
  const deadline = performance.now() + 60_000;
  // Until all are heard and own their share, and long after that: what is measured is rest.
  const isAtRest = () => agreement.claims.size === ADDRESSES / NODES && agreement.roll.living().length === NODES - 1;
  while (!isAtRest() && performance.now() < deadline) await sleep(200);
  if (!isAtRest()) throw new Error(`not at rest within a minute: ${agreement.roll.living().length} others are heard`);
  await sleep(WARM_UP_MILLISECONDS);
  const shares: number[] = [];
  for (let look = 0; look < LOOKS; look++) {
    const before = process.cpuUsage();
    const began = performance.now();
    await sleep(SECONDS * 1000);
    const { user, system } = process.cpuUsage(before);
    shares.push(((user + system) / 1000 / (performance.now() - began)) * 100);
  }
  const share = median(shares);
  process.stdout.write(`a node of ${NODES}, ${ADDRESSES} addresses: ${share.toFixed(2)} % of a core at rest\n`);
  const what = `heartbeats of ${NODES} nodes at rest`;
  saveResults("l2", [{ what, metric: "share of a core", unit: "%", values: shares }], {
    "limit/share@50": 0.5 / share,
  });
  process.exit(0);
}
