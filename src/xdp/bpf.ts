/**
 * Loading a BPF object and running one of its programs on a frame.
 *
 * Programs and maps live as long as their object is open; an attached program, and the maps it uses, as long as its link.
 * Another thread opens a map for itself by descriptor: `BpfMap.fromFd`.
 */
import { BpfMap } from "./bpf-map.ts";
import { BPF_OBJECT_PATH, type NativeBpfObject, native } from "./native.ts";

export { BPF_OBJECT_PATH };

export interface LoadOptions {
  /** Entries of maps whose size is not the one in the source. */
  readonly maxEntries?: Readonly<Record<string, number>>;
  /** A folder of bpffs: maps that are pinned there are taken, the others are made and pinned. */
  readonly pinFolder?: string | null;
  /** Whether programs take frames in several buffers; absent, when the kernel has them (Linux 5.18). */
  readonly frags?: boolean;
}

export interface TestRunOptions {
  /** How often to run; `durationNanoseconds` is then the mean. */
  readonly repeat?: number;
  /** XDP programs: the interface and queue that the frame seems to come from (default: none, which is `lo`). */
  readonly ingress?: { readonly interfaceIndex: number; readonly queue: number };
  /** tc programs: the interface that the frame seems to leave by (default: `lo`). */
  readonly egressInterfaceIndex?: number;
}

export interface TestRunResult {
  readonly returnValue: number;
  readonly durationNanoseconds: number;
  /** The frame as the program left it. */
  readonly data: Uint8Array;
}

export class BpfProgram {
  readonly name: string;
  readonly fd: number;
  readonly object: BpfObject;

  constructor(object: BpfObject, name: string, fd: number) {
    this.object = object;
    this.name = name;
    this.fd = fd;
  }

  /** BPF_PROG_TEST_RUN: the real program, in the kernel, on this frame; nothing is received or sent. */
  testRun(frame: Uint8Array, options: TestRunOptions = {}): TestRunResult {
    const { repeat = 1, ingress, egressInterfaceIndex } = options;
    let context: Uint8Array | null = null;
    if (ingress !== undefined) context = xdpContext(frame.length, ingress);
    else if (egressInterfaceIndex !== undefined) context = skbContext(egressInterfaceIndex);
    return native.testRun(this.fd, frame, repeat, context);
  }
}

/** struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex. */
function xdpContext(frameLengthBytes: number, ingress: { interfaceIndex: number; queue: number }): Uint8Array {
  const context = new Uint32Array([0, frameLengthBytes, 0, ingress.interfaceIndex, ingress.queue, 0]);
  return new Uint8Array(context.buffer);
}

/** struct __sk_buff up to its eleventh word, `ifindex`; nothing else may be given. */
function skbContext(interfaceIndex: number): Uint8Array {
  const context = new Uint32Array(11);
  context[10] = interfaceIndex;
  return new Uint8Array(context.buffer);
}

export class BpfObject {
  readonly path: string;
  readonly #native: NativeBpfObject;
  readonly #maps = new Map<string, BpfMap>();

  private constructor(path: string, object: NativeBpfObject) {
    this.path = path;
    this.#native = object;
  }

  static load(path: string = BPF_OBJECT_PATH, options: LoadOptions = {}): BpfObject {
    return new BpfObject(
      path,
      new native.BpfObject(path, options.maxEntries ?? {}, options.pinFolder ?? null, options.frags),
    );
  }

  program(name: string): BpfProgram {
    return new BpfProgram(this, name, this.#native.programFd(name));
  }

  /** The same `BpfMap` each time. */
  map(name: string): BpfMap {
    let map = this.#maps.get(name);
    if (map === undefined) {
      map = BpfMap.fromFd(this.#native.mapFd(name));
      this.#maps.set(name, map);
    }
    return map;
  }

  /** Descriptors of all maps by name, for a second load of the same object that is to share them. */
  mapDescriptors(): Record<string, number> {
    return this.#native.mapDescriptors();
  }

  /** Idempotent. Closes its maps too; attached programs run on. */
  close(): void {
    for (const map of this.#maps.values()) map.close();
    this.#native.close();
  }
}
