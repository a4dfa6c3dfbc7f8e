/**
 * The native addon: its only door. Loads `build/sluice.node` (or the file that SLUICE_NATIVE names) once per thread and
 * declares what it exports. The classes of this room wrap it; nobody else imports this file.
 *
 * Whatever holds kernel state belongs to the thread that made it and is closed when that thread ends, however it ends.
 * `native/addon/resource.h` keeps that promise.
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export interface NativeUmem {
  buffer(): ArrayBuffer;
  close(): void;
}

export interface NativeRing {
  readonly buffer: ArrayBuffer;
  readonly producerOffset: number;
  readonly consumerOffset: number;
  readonly flagsOffset: number;
  readonly descriptorsOffset: number;
}

export interface NativeXsk {
  fd(): number;
  zeroCopy(): boolean;
  /** Receive, transmit, fill, completion. */
  rings(): readonly [NativeRing, NativeRing, NativeRing, NativeRing];
  statistics(into: Float64Array): void;
  close(): void;
}

export interface NativeEventFd {
  fd(): number;
  close(): void;
}

export interface NativeBpfObject {
  programFd(name: string): number;
  mapFd(name: string): number;
  mapDescriptors(): Record<string, number>;
  close(): void;
}

export interface BpfMapDescription {
  readonly fd: number;
  readonly name: string;
  /** BPF_MAP_TYPE_*. */
  readonly type: number;
  readonly keySize: number;
  /** Bytes of one lookup: for a per-CPU map all CPUs' values, each rounded up to 8 bytes. */
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
}

export interface NativeBpfMap {
  describe(): BpfMapDescription;
  lookup(key: Uint8Array, into: Uint8Array): boolean;
  update(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): boolean;
  nextKey(previous: Uint8Array | null, into: Uint8Array): boolean;
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): void;
  lookupBatch(
    cursor: Uint8Array,
    first: boolean,
    keys: Uint8Array,
    values: Uint8Array,
    count: number,
  ): [count: number, more: boolean];
  deleteBatch(keys: Uint8Array, count: number): void;
  map(): ArrayBuffer;
  /** Of a ring buffer: the consumer's page, and the producer's with the data behind it, which is read-only. */
  mapRing(): [consumer: ArrayBuffer, producer: ArrayBuffer];
  close(): void;
}

export interface NativeLink {
  /** `false` for a kind that can't be pinned. */
  pin(path: string): boolean;
  close(): void;
}

export interface NativeNetlinkMonitor {
  /** The stream's end, once; its taker closes it. */
  takeFd(): number;
  close(): void;
}

export interface NativePacketSocket {
  send(frame: Uint8Array): number;
  receive(into: Uint8Array): number;
  fd(): number;
  close(): void;
}

export interface NativeDatagramSocket {
  divert(offset: number, mask: number): number;
  send(datagram: Uint8Array, addresses: Uint8Array, port: number): number;
  receive(into: Uint8Array, lengths: Int32Array, ages: Float64Array): number;
  close(): void;
}

export interface NativeAuthenticator {
  compute(octets: Uint8Array, length: number, into: Uint8Array): void;
}

export interface NativeRepeatSieve {
  learn(datagram: Uint8Array): number;
  forget(datagram: Uint8Array): void;
  sift(
    into: Uint8Array,
    lengths: Int32Array,
    ages: Float64Array,
    count: number,
    left: Int32Array,
    heard: Float64Array,
    tally: Int32Array,
  ): number;
}

/** Octets as they are sent, and for each of the sockets the addresses that get them there, in one array. */
export type NativeMessage = readonly [datagram: Uint8Array, ...addresses: readonly Uint8Array[]];

export interface NativeRestingBeat {
  begin(
    messages: readonly NativeMessage[],
    port: number,
    signs: Float64Array,
    clock: Float64Array,
    watched: readonly number[],
  ): void;
  end(): number;
  close(): void;
}

interface Native {
  readonly Umem: new (lengthBytes: number) => NativeUmem;
  readonly Xsk: new (
    umem: NativeUmem,
    interfaceName: string,
    queue: number,
    bindFlags: number,
    frameSize: number,
    headroom: number,
    rxSize: number,
    txSize: number,
    fillSize: number,
    completionSize: number,
  ) => NativeXsk;
  readonly EventFd: new () => NativeEventFd;
  readonly BpfObject: new (
    path: string,
    maxEntries: Readonly<Record<string, number>>,
    pinFolder?: string | null,
    frags?: boolean,
  ) => NativeBpfObject;
  readonly BpfMap: new (fd: number) => NativeBpfMap;
  /** @returns a descriptor. */
  readonly createArray: (name: string, valueSize: number, maxEntries: number, flags: number) => number;
  readonly pinMap: (fd: number, path: string) => void;
  readonly NetlinkMonitor: new (groups: readonly number[]) => NativeNetlinkMonitor;
  readonly DatagramSocket: new (address: Uint8Array, port: number) => NativeDatagramSocket;
  readonly Authenticator: new (key: Uint8Array) => NativeAuthenticator;
  readonly RepeatSieve: new (key: Uint8Array, nameAt: number) => NativeRepeatSieve;
  readonly RestingBeat: new (
    sieve: NativeRepeatSieve,
    sockets: readonly (readonly [NativeDatagramSocket, Uint8Array, Int32Array, Float64Array])[],
    left: Int32Array,
    heard: Float64Array,
    wake: () => void,
  ) => NativeRestingBeat;
  readonly PacketSocket: new (interfaceName: string, kind: "arp" | "ndp") => NativePacketSocket;
  readonly Link: new (
    kind: "xdp" | "tcx" | "clsact" | "pinned" | "dispatcher",
    program: number | string,
    interfaceName: string,
    flagsOrPath?: number | string,
    maps?: Readonly<Record<string, number>>,
    programName?: string,
  ) => NativeLink;
  kick(fd: number): number;
  poll(entries: Int32Array, count: number, timeoutMilliseconds: number): number;
  signalEvent(fd: number): number;
  clearEvent(fd: number): number;
  monotonic(into: Float64Array): void;
  giveWay(): void;
  testRun(
    programFd: number,
    frame: Uint8Array,
    repeat: number,
    context: Uint8Array | null,
  ): { returnValue: number; durationNanoseconds: number; data: Uint8Array };
  /** A descriptor of what is pinned at a path, -1 when nothing is. */
  openPinned(path: string): number;
  pinnedLink(path: string): { interfaceIndex: number; programId: number } | null;
  queryXdp(interfaceName: string): { programId: number; name: string; mode: "native" | "generic" | "offload" } | null;
  ethtoolDriver(interfaceName: string): string;
  ethtoolRxQueues(interfaceName: string): number;
  ethtoolGet(interfaceName: string, command: number): number;
  ethtoolSet(interfaceName: string, command: number, value: number): void;
  enterNetworkNamespace(path: string): void;
  netlinkRequest(message: Uint8Array, what: string): Uint8Array;
  tcpSocket(address: string, port: number, device: string, ttl: number, minTtl: number): number;
  tcpSetMd5(fd: number, peer: string, key: Uint8Array): void;
  closeFd(fd: number): void;
  /** Of this thread; by their numbers. */
  keepOwnCapabilities(kept: readonly number[]): void;
  /** Of all threads of the process. */
  keepCapabilities(kept: readonly number[]): void;
  setHopLimit(fd: number, family: number, ttl: number, minTtl: number): void;
  requireHopLimit(fd: number, family: number, minTtl: number): void;
  sendIcmp6(interfaceName: string, destination: string, message: Uint8Array): void;
}

/** The package root is two levels up from here, in `src/` and in `dist/` alike. */
const BUILD = new URL("../../build/", import.meta.url);

/** The BPF object that `npm run build` makes. */
export const BPF_OBJECT_PATH: string = fileURLToPath(new URL("sluice.bpf.o", BUILD));

function load(): Native {
  const path = process.env["SLUICE_NATIVE"] ?? fileURLToPath(new URL("sluice.node", BUILD));
  try {
    return createRequire(import.meta.url)(path) as Native;
  } catch (cause) {
    throw new Error(`cannot load the native addon ${path}: build it with \`npm run build\``, { cause });
  }
}

export const native: Native = load();
