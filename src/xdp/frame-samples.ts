/** Samples of the frames that the BPF programs forward: struct sample of native/bpf/sample.h. */
import type { BpfMap } from "./bpf-map.ts";
import { BpfRingBuffer } from "./bpf-ring-buffer.ts";
import { SETTINGS_SAMPLE_EVERY } from "./door-maps.ts";

const FRAME = 16;
const HOOK_XDP = 0;

export interface FrameSample {
  /** Of the monotonic clock. */
  readonly nanoseconds: number;
  readonly lengthBytes: number;
  /** Id of the port by which it came in, -1 when that is not known, */
  readonly port: number;
  /** and by which it leaves, likewise. */
  readonly egress: number;
  /** The frame as it goes on, cut short. */
  readonly frame: Uint8Array;
}

export class FrameSamples {
  readonly #settings: Int32Array;
  readonly #ring: BpfRingBuffer;

  /** Samples nothing yet, whatever a process before this one has left. */
  constructor(settings: BpfMap, samples: BpfMap) {
    this.#settings = settings.mmap();
    this.#ring = new BpfRingBuffer(samples);
    this.sampleEvery(0);
  }

  /** One of so many frames, a power of two; 0 for none. */
  sampleEvery(frames: number): void {
    this.#settings[SETTINGS_SAMPLE_EVERY] = frames;
  }

  drain(take: (sample: FrameSample) => void): void {
    this.#ring.drain((record) => {
      const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
      const port = view.getUint8(14);
      const inXdp = view.getUint8(15) === HOOK_XDP;
      take({
        nanoseconds: Number(view.getBigUint64(0, true)),
        lengthBytes: view.getUint32(8, true),
        port: inXdp ? port : -1,
        egress: inXdp ? -1 : port,
        frame: record.slice(FRAME, FRAME + view.getUint16(12, true)),
      });
    });
  }
}
