/**
 * `npm run bench -- l2`: what the agreement on owners costs a node of a cluster of 50 that share a link: heartbeats each
 * 200 ms to and from 49 others, authenticated, over UDP on the loopback interface, 1,000 addresses.
 *
 *     this process: one node, measured by its CPU time      a process of its own: the 49 others
 *
 * By loopback the sender carries what it sends as far as the receiver's socket, so the measured node pays for 49 packets
 * that come in each 200 ms, as it would by a network; what a driver takes to send and to receive is in neither.
 *
 * SLUICE_BENCH_SECONDS is how long it is looked at, three times. For a minute before that all nodes beat ten times as fast:
 * the runtime compiles what runs often, and what is looked at stands for a process that has run for long.
 */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Heart } from "../src/announcer/heart.ts";
import { HeartbeatSockets } from "../src/announcer/heartbeat-sockets.ts";
import type { OwnerAgreement } from "../src/l2/agreement.ts";
import { EMPTY_STATEMENT, type Heard, type Heartbeat, type Statement } from "../src/l2/heartbeat.ts";
import { DEFAULT_TIMING, missedAfterMilliseconds, type Timing } from "../src/l2/timing.ts";
import { median, saveResults } from "./results.ts";

const NODES = 50;
const ADDRESSES = 1000;
const PORT = 9499;
const WARM_UP_MILLISECONDS = 60_000;
const WARM_UP_PACE = 10;
const FAST_TIMING: Timing = {
  ...DEFAULT_TIMING,
  heartbeatMilliseconds: DEFAULT_TIMING.heartbeatMilliseconds / WARM_UP_PACE,
  misses: DEFAULT_TIMING.misses * WARM_UP_PACE,
};
const REST_MILLISECONDS = 10_000;
/** Members that a message names, besides the one that looks into it: as many as `Telling` finds room for. */
const OTHERS_IN_MESSAGE = 16;
const SECONDS = Number(process.env["SLUICE_BENCH_SECONDS"] ?? 10);
const LOOKS = 3;
const KEY = new TextEncoder().encode("the key of the benchmark");

const names = Array.from({ length: NODES }, (_, index) => `node-${index}.cluster.example`);
const places = new Map(names.map((name, index) => [name, `127.9.0.${index + 1}`]));
const vips = Array.from({ length: ADDRESSES }, (_, index) => ({
  vip: `10.${index >> 8}.${index & 255}.1`,
  candidates: names,
}));

const fresh = () => 1 + Math.floor(Math.random() * 2 ** 40);

/** The node that is measured. */
function measuredNode(node: string, timing: Timing): Heart {
  const own = { 4: places.get(node)!, 6: null };
  const heart: Heart = new Heart(
    { node, session: fresh(), timing, key: KEY, port: PORT, own },
    {
      addressOf: (other) => places.get(other),
      carryOut: () => {},
      tick: () => {
        heart.hear();
        heart.step({ type: "tick" });
      },
      next: () => Number.POSITIVE_INFINITY,
      restsUntil: () => Number.POSITIVE_INFINITY,
      watched: [],
    },
  );
  heart.start();
  heart.step({ type: "plan", members: names, vips });
  return heart;
}

/** Until all others are heard and own their share. */
async function untilRest(agreement: OwnerAgreement): Promise<void> {
  const deadline = performance.now() + 60_000;
  const isAtRest = () => agreement.claims.size === ADDRESSES / NODES && agreement.roll.living().length === NODES - 1;
  while (!isAtRest() && performance.now() < deadline) await sleep(200);
  if (!isAtRest()) throw new Error(`not at rest within a minute: ${agreement.roll.living().length} others are heard`);
}

/** Another node as the measured one sees it: it owns its share, and says so. */
function playedNode(name: string, index: number): () => void {
  const claims = vips
    .filter((_, at) => at % NODES === index)
    .map(({ vip }) => ({ vip, term: 1, weak: false, pinned: false }));
  const statement: Statement = { ...EMPTY_STATEMENT, claims };
  const session = fresh();
  let sequence = 0;
  const others = names
    .filter((other) => other !== name && other !== names[0])
    .slice(0, OTHERS_IN_MESSAGE)
    .map((node): Heard => ({ node, session: fresh(), version: 1, held: false }));
  let heard = others;
  let hasOurs = false;
  const take = (message: Heartbeat) => {
    heard = [{ node: message.from, session: message.session, version: message.version, held: false }, ...others];
    hasOurs = message.heard.some(
      ({ node, session: known, version }) => node === name && known === session && version === 1,
    );
  };
  const ears = {
    session: () => session,
    take,
    hasHeard: () => false,
    livesIn: () => false,
    again: () => {},
    rested: () => {},
  };
  const sockets = new HeartbeatSockets(KEY, PORT, ears, { 4: places.get(name)!, 6: null });
  return () => {
    sockets.look();
    const always = {
      from: name,
      session,
      sequence: ++sequence,
      ready: true,
      draining: false,
      patienceMilliseconds: missedAfterMilliseconds(DEFAULT_TIMING),
      heard,
      version: 1,
      moves: [],
    };
    sockets.send({ ...always, statement: hasOurs ? null : statement }, [places.get(names[0]!)!]);
  };
}

/** The others, until this process ends: fast first, and at their pace when they are told so. */
function playOthers(): void {
  const beats = names.slice(1).map((name, index) => playedNode(name, index + 1));
  const beat = () => {
    for (const one of beats) one();
  };
  const fast = setInterval(beat, DEFAULT_TIMING.heartbeatMilliseconds / WARM_UP_PACE);
  process.stdin.once("data", () => {
    clearInterval(fast);
    setInterval(beat, DEFAULT_TIMING.heartbeatMilliseconds);
  });
  process.stdout.write("ready\n");
}

if (process.argv[2] === "others") {
  playOthers();
} else {
  const others = spawn(process.execPath, [fileURLToPath(import.meta.url), "others"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  process.once("exit", () => others.kill());
  await new Promise((resolve) => others.stdout.once("data", resolve));
  const fast = measuredNode(names[0]!, FAST_TIMING);
  await untilRest(fast.agreement);
  await sleep(WARM_UP_MILLISECONDS);
  fast.close();
  others.stdin.write("rest\n");
  const { agreement } = measuredNode(names[0]!, DEFAULT_TIMING);
  await untilRest(agreement);
  await sleep(REST_MILLISECONDS);
  const shares: number[] = [];
  const kernelParts: number[] = [];
  for (let look = 0; look < LOOKS; look++) {
    const before = process.cpuUsage();
    const began = performance.now();
    await sleep(SECONDS * 1000);
    const { user, system } = process.cpuUsage(before);
    shares.push(((user + system) / 1000 / (performance.now() - began)) * 100);
    kernelParts.push((system / (user + system)) * 100);
  }
  const share = median(shares);
  const kernelPart = median(kernelParts).toFixed(0);
  process.stdout.write(
    `a node of ${NODES}, ${ADDRESSES} addresses: ${share.toFixed(2)} % of a core at rest, ${kernelPart} % of it the kernel's\n`,
  );
  const what = `heartbeats of ${NODES} nodes at rest`;
  const rows = [
    { what, metric: "share of a core", unit: "%", values: shares },
    { what, metric: "the kernel's part of it", unit: "%", values: kernelParts },
  ];
  saveResults("l2", rows, { "limit/share@50": 0.5 / share });
  process.exit(0);
}
