/**
 * A datapath worker: sockets on a queue or several of every port, one frame memory, one pipeline. It runs as the only
 * task of its thread in the pool and does not return until it is told to stop.
 *
 * Per turn: see whether there is a message; for each socket take a batch, run the pipeline, hand the frames to the
 * transmit rings and refill the fill ring; wake the kernel. A turn without frames is repeated for a while (a round trip
 * through the scheduler costs more than the answer), then the worker waits in poll(2).
 *
 * A frame goes fill ring -> receive ring -> batch -> transmit ring -> completion ring -> frame memory -> fill ring.
 */
import { receiveMessageOnPort } from "node:worker_threads";
import { countReason, DROPPED, RECEIVED, RECEIVED_BYTES } from "../dataplane/counters.ts";
import { DropReason } from "../dataplane/drop-reason.ts";
import { Fib } from "../dataplane/fib.ts";
import { ForwardingTable } from "../dataplane/forwarding-table.ts";
import { FrameBatch, Verdict } from "../dataplane/frame-batch.ts";
import type { PolicyChain } from "../policy/policy-chain.ts";
import { WorkerPolicies } from "../policy-host/worker-policies.ts";
import { FrameTracer } from "../trace/frame-tracer.ts";
import { BpfMap } from "../xdp/bpf-map.ts";
import { keepForwardingCapabilities } from "../xdp/capabilities.ts";
import { PressureMap } from "../xdp/queue-pressure.ts";
import { PACKET_CONTINUES } from "../xdp/ring.ts";
import { Umem } from "../xdp/umem.ts";
import { clearEvent, monotonic, POLL_WORDS, POLLIN, POLLOUT, poll, wholeSeconds } from "../xdp/wait.ts";
import { XskSocket } from "../xdp/xsk.ts";
import { FRAME_START, type FrameLayout, FrameMemory, HEADROOM, layFrames } from "./frame-memory.ts";
import {
  CONTROL_COMMANDS,
  CONTROL_EPOCH,
  CONTROL_HEARTBEAT,
  CONTROL_HURRY,
  CONTROL_POLICY,
  CONTROL_READY,
  CONTROL_STOP,
  QUEUES_PER_PORT,
  type WorkerMessage,
  type WorkerNews,
  type WorkerTask,
} from "./task.ts";
import { makePipeline, openMaps, type SharedMaps } from "./worker-pipeline.ts";

const BATCH = 64;
const RING_SLOTS = 2048;
/**
 * Idle turns before the worker sleeps: about 50 µs of looking, as long as a wake-up takes. With 20, half of the requests on
 * an open connection took 93 µs instead of 55, and the slow ones were hardly fewer (docs/performance.md).
 */
const IDLE_TURNS = 500;
/**
 * The same where the kernel forwards: what comes here is mostly the only frame of its flow, so the next one is no nearer
 * for it, and looking takes the time of those who serve the flow (bench/connections).
 */
const IDLE_TURNS_BESIDE_KERNEL = 20;
const POLL_MILLISECONDS = 1000;
/** The same, while frames wait: nobody wakes the worker when what they wait for has come. */
const LOOK_MILLISECONDS = 1;
/** In copy mode one kick moves 32 frames; a full transmit ring is moved by this many. */
const MAX_KICKS = (RING_SLOTS / 32) * 2;

const RINGS = { rxSize: RING_SLOTS, txSize: RING_SLOTS, fillSize: RING_SLOTS, completionSize: RING_SLOTS };

/** Runs until `CONTROL_STOP` is set. Throws when a socket can't be opened; the kernel objects are closed in any case. */
export function runDatapathWorker(task: WorkerTask): void {
  keepForwardingCapabilities();
  const layout = layFrames(task.longestFrameBytes, task.sockets.length, RING_SLOTS * 2);
  const { frameSize, frameCount, roomFrames, roomCount } = layout;
  const umem = new Umem({ frameCount: frameCount + roomFrames * roomCount, frameSize, headroom: HEADROOM });
  const maps = openMaps(task);
  const sockets: XskSocket[] = [];
  try {
    for (const { interface: name, queue, bind } of task.sockets) {
      sockets.push(new XskSocket(umem, { interface: name, queue, bind, multiBuffer: roomCount > 0, ...RINGS }));
    }
    forwardUntilStopped(task, umem, layout, maps, sockets);
  } finally {
    for (const socket of sockets) socket.close();
    for (const map of Object.values(maps)) map.close();
    umem.close();
  }
}

function forwardUntilStopped(
  task: WorkerTask,
  umem: Umem,
  layout: FrameLayout,
  maps: SharedMaps,
  sockets: readonly XskSocket[],
): void {
  const { control, counters, messages } = task;
  const memory = new FrameMemory(layout);
  const multiBuffer = layout.roomCount > 0;
  const batch = new FrameBatch(BATCH);
  const pipeline = makePipeline(task, maps, batch, umem.view);
  /** Index into `sockets` by port id: the one that frames leave by. */
  const socketOfPort = new Int32Array(256).fill(-1);
  const portOfSocket = Int32Array.from(task.sockets, ({ port }) => port);
  const queueOfSocket = Int32Array.from(task.sockets, ({ port, queue }) => port * QUEUES_PER_PORT + queue);
  const pressure = new PressureMap(maps.queues.mmap());
  const wakeEntry = sockets.length * POLL_WORDS;
  const pollEntries = new Int32Array(wakeEntry + POLL_WORDS);
  const clock = new Float64Array(1);
  const policies = new WorkerPolicies(pipeline, {
    batchClock: clock,
    readClock: monotonic,
    stats: task.policyStats,
    watch: control,
    watchAt: CONTROL_POLICY,
    onTrouble: (policy, message, isOff) => tell({ kind: "policy-trouble", policy, message, isOff }),
    onReason: (policy, reason, number) => tell({ kind: "policy-reason", policy, reason, number }),
  });
  let chain = policies.chain(task.policies);
  pipeline.policies = chain;
  let tracer = task.trace === null ? null : new FrameTracer(task.trace, batch, umem.bytes);
  let commandsSeen = 0;
  let joinedBytes = 0;

  task.sockets.forEach((socket, index) => {
    if (socketOfPort[socket.port]! < 0) socketOfPort[socket.port] = index;
    pollEntries[index * POLL_WORDS] = sockets[index]!.fd;
    refill(sockets[index]!, RING_SLOTS);
  });
  pollEntries[wakeEntry] = task.wakeFd;
  pollEntries[wakeEntry + 1] = POLLIN;
  const xsks = BpfMap.fromFd(task.mapFds.xsks);
  task.sockets.forEach(({ port, queue }, index) => {
    xsks.update(words(port * QUEUES_PER_PORT + queue), words(sockets[index]!.fd));
  });
  xsks.close();
  Atomics.store(control, CONTROL_EPOCH, task.table.epoch);
  Atomics.store(control, CONTROL_READY, 1);
  Atomics.notify(control, CONTROL_READY);

  const patience = task.offloads ? IDLE_TURNS_BESIDE_KERNEL : IDLE_TURNS;
  let idleTurns = 0;
  let tickedAt = 0;
  while (Atomics.load(control, CONTROL_STOP) === 0) {
    const commands = Atomics.load(control, CONTROL_COMMANDS);
    if (commands !== commandsSeen) {
      commandsSeen = commands;
      readMessages();
    }
    control[CONTROL_HEARTBEAT]!++;
    if (chain !== null) tickPolicies(chain);
    if (turn() > 0) {
      idleTurns = 0;
    } else if (++idleTurns > patience) {
      wait();
      idleTurns = 0;
    }
  }

  /** Once a second, by the clock of the last batch: a worker without frames wakes about as often. */
  function tickPolicies(asked: PolicyChain): void {
    if (idleTurns === 0) monotonic(clock);
    if (seconds() === tickedAt) return;
    tickedAt = seconds();
    asked.tick(clock[0]! / 1e6);
  }

  function tell(news: WorkerNews): void {
    messages.postMessage(news);
  }

  /** @returns how many frames came in. */
  function turn(): number {
    let received = 0;
    for (let index = 0; index < sockets.length; index++) {
      const socket = sockets[index]!;
      reclaim(socket);
      const count = socket.rx.peek(BATCH);
      if (count === 0) {
        pressure.caughtUp(queueOfSocket[index]!);
        continue;
      }
      received += count;
      if (multiBuffer) takePackets(socket, portOfSocket[index]!, count);
      else take(socket, portOfSocket[index]!, count);
      pressure.took(queueOfSocket[index]!, batch.count);
      monotonic(clock);
      forwardBatch();
      refill(socket, RING_SLOTS);
    }
    // What frames waited for may have come by this batch, by another worker's, or as the kernel's answer.
    if (pipeline.keepsFrames) {
      monotonic(clock);
      while (pipeline.gather(findRoom, seconds())) forwardBatch();
    }
    for (let index = 0; index < sockets.length; index++) flush(sockets[index]!);
    return received;
  }

  function forwardBatch(): void {
    tracer?.before();
    pipeline.hurries = control[CONTROL_HURRY] !== 0;
    pipeline.run(seconds());
    tracer?.after(clock[0]!);
    for (let i = 0; i < batch.count; i++) {
      if (batch.verdict[i] === Verdict.Transmit || batch.verdict[i] === Verdict.Reply) send(i);
      else memory.give(batch.offset[i]!);
    }
  }

  /** Of the clock as it was last read. */
  function seconds(): number {
    return wholeSeconds(clock);
  }

  function findRoom(): number {
    return memory.freeFrames === 0 ? -1 : memory.takeFrame() + FRAME_START;
  }

  function take(socket: XskSocket, port: number, count: number): void {
    const { rx } = socket;
    for (let i = 0; i < count; i++) {
      const descriptor = rx.index(i) * 4;
      batch.offset[i] = rx.descriptors[descriptor]!;
      batch.length[i] = rx.descriptors[descriptor + 2]!;
      batch.port[i] = port;
    }
    rx.release(count);
    batch.count = count;
  }

  /** Takes whole packets only: one whose last pieces have not come is left in the ring. */
  function takePackets(socket: XskSocket, port: number, count: number): void {
    const { rx } = socket;
    let packets = 0;
    let taken = 0;
    for (let i = 0; i < count; i++) {
      if (rx.descriptors[rx.index(i) * 4 + 3]! & PACKET_CONTINUES) continue;
      const pieces = i + 1 - taken;
      const descriptor = rx.index(taken) * 4;
      const offset = pieces === 1 ? rx.descriptors[descriptor]! : joinPieces(socket, port, taken, pieces);
      if (offset >= 0) {
        batch.offset[packets] = offset;
        batch.length[packets] = pieces === 1 ? rx.descriptors[descriptor + 2]! : joinedBytes;
        batch.port[packets] = port;
        packets++;
      }
      taken = i + 1;
    }
    rx.release(taken);
    batch.count = packets;
  }

  /**
   * Puts the pieces of a packet together in a room and frees their frames; `joinedBytes` is then its length.
   * @returns its offset, -1 when there is no room for it.
   */
  function joinPieces(socket: XskSocket, port: number, first: number, pieces: number): number {
    const { rx } = socket;
    const room = memory.freeRooms === 0 ? -1 : memory.takeRoom() + FRAME_START;
    let length = 0;
    let fits = room >= 0;
    for (let i = first; i < first + pieces; i++) {
      const descriptor = rx.index(i) * 4;
      const address = rx.descriptors[descriptor]!;
      const bytes = rx.descriptors[descriptor + 2]!;
      fits &&= length + bytes <= memory.roomBytes;
      if (fits) umem.bytes.copyWithin(room + length, address, address + bytes);
      length += bytes;
      memory.give(address);
    }
    joinedBytes = length;
    if (fits) return room;
    if (room >= 0) memory.give(room);
    counters.totals[RECEIVED]! += 1;
    counters.totals[RECEIVED_BYTES]! += length;
    countDrop(DropReason.FrameMemoryFull, port);
    return -1;
  }

  function send(i: number): void {
    const index = socketOfPort[batch.egress[i]!]!;
    const tx = index < 0 ? null : sockets[index]!.tx;
    let address = batch.offset[i]!;
    let left = batch.length[i]!;
    const pieces = multiBuffer ? memory.piecesOf(address, left) : 1;
    if (tx === null || tx.reserve(pieces) < pieces) {
      countDrop(DropReason.TransmitRingFull, batch.port[i]!);
      memory.give(address);
      return;
    }
    if (pieces > 1) memory.lend(address, pieces);
    for (let piece = 0; piece < pieces; piece++) {
      const length = pieces === 1 ? left : memory.firstPiece(address, left);
      const descriptor = tx.index(piece) * 4;
      tx.descriptors[descriptor] = address;
      tx.descriptors[descriptor + 1] = 0;
      tx.descriptors[descriptor + 2] = length;
      tx.descriptors[descriptor + 3] = piece < pieces - 1 ? PACKET_CONTINUES : 0;
      address += length;
      left -= length;
    }
    tx.submit(pieces);
  }

  function countDrop(reason: number, port: number): void {
    counters.totals[DROPPED]! += 1;
    countReason(counters, reason, port);
  }

  /** Frames that the kernel has sent are free again. */
  function reclaim(socket: XskSocket): void {
    const { completion } = socket;
    const done = completion.peek(RING_SLOTS);
    if (done === 0) return;
    for (let i = 0; i < done; i++) memory.give(completion.descriptors[completion.index(i) * 2]!);
    completion.release(done);
  }

  function refill(socket: XskSocket, most: number): void {
    const { fill } = socket;
    const count = fill.reserve(Math.min(most, memory.freeFrames));
    for (let i = 0; i < count; i++) {
      const descriptor = fill.index(i) * 2;
      fill.descriptors[descriptor] = memory.takeFrame();
      fill.descriptors[descriptor + 1] = 0;
    }
    if (count > 0) fill.submit(count);
  }

  function flush(socket: XskSocket): void {
    if (socket.tx.pending() === 0) return;
    for (let kicks = 0; kicks < MAX_KICKS && socket.kick(); kicks++) reclaim(socket);
  }

  function wait(): void {
    for (let index = 0; index < sockets.length; index++) {
      const waiting = sockets[index]!.tx.pending() > 0;
      pollEntries[index * POLL_WORDS + 1] = waiting ? POLLIN | POLLOUT : POLLIN;
    }
    poll(pollEntries, sockets.length + 1, pipeline.keepsFrames ? LOOK_MILLISECONDS : POLL_MILLISECONDS);
    if (pollEntries[wakeEntry + 2] !== 0) clearEvent(task.wakeFd);
  }

  function readMessages(): void {
    for (;;) {
      const received = receiveMessageOnPort(messages) as { message: WorkerMessage } | undefined;
      if (received === undefined) break;
      const { message } = received;
      if (message.kind === "table") {
        pipeline.table = new ForwardingTable(message.columns);
        chain = policies.chain(message.policies);
        pipeline.policies = chain;
      } else if (message.kind === "fib") {
        pipeline.fib = new Fib(message.words);
      } else {
        tracer = message.order === null ? null : new FrameTracer(message.order, batch, umem.bytes);
      }
    }
    Atomics.store(control, CONTROL_EPOCH, pipeline.table.epoch);
    Atomics.notify(control, CONTROL_EPOCH);
  }
}

function words(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
