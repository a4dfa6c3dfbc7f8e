/**
 * What happens to frames, for those who look, while they look: the workers' rings and the kernel's samples are read a few
 * times a second, put into words and given to whom they concern. While nobody looks there are no rings, no samples and
 * no timer.
 *
 * Everything on the way is bounded: what does not fit is lost, and counted.
 */
import { Verdict } from "../dataplane/frame-batch.ts";
import type { IpAddress } from "../net/ip-address.ts";
import { describeFrame, type TraceScene } from "../trace/describe-frame.ts";
import type { FrameEvent } from "../trace/frame-event.ts";
import { type FrameFilter, matches, workerFilter } from "../trace/frame-filter.ts";
import { type FrameRecord, readFrameRecord } from "../trace/frame-record.ts";
import type { TraceOrder } from "../trace/frame-tracer.ts";
import { TraceRing, traceRingMemory } from "../trace/trace-ring.ts";
import type { FrameSample } from "../xdp/frame-samples.ts";

/** Room of a worker's ring: 7000 headers, or a thousand whole frames of 1500 bytes, in each of the intervals below. */
const RING_BYTES = 1 << 22;
const READ_MILLISECONDS = 50;
/** Each may ask for another filter, which every frame is held against. */
const MOST_LISTENERS = 32;

export interface TraceListener {
  readonly filter: FrameFilter;
  /** Bytes wanted of each frame. */
  readonly snapBytes: number;
  /** One of so many frames that the kernel forwards, a power of two; 0 for none. */
  readonly sampleEvery: number;
  take(event: FrameEvent, record: FrameRecord): void;
  /** After each reading. @param lost how many frames have found no room since somebody looks. */
  read(lost: number): void;
}

/** What it reads from, and what the names come from. */
export interface TraceSource {
  readonly workers: number;
  /** Addresses of a Service's VIPs; none when it is not served here. */
  vipsOf(service: string): readonly IpAddress[];
  scene(): TraceScene;
  publish(orders: readonly TraceOrder[]): void;
  sampleEvery(frames: number): void;
  drainSamples(take: (sample: FrameSample) => void): void;
  /** Samples that found no room, ever. */
  samplesLost(): number;
}

export class FrameTrace {
  readonly #source: TraceSource;
  readonly #listeners = new Set<TraceListener>();
  /** By worker, while somebody looks. */
  #memories: readonly SharedArrayBuffer[] = [];
  #rings: readonly TraceRing[] = [];
  #timer: NodeJS.Timeout | null = null;
  #sampleEvery = 0;
  #samplesLostBefore = 0;

  constructor(source: TraceSource) {
    this.#source = source;
  }

  /** @returns what ends it. Throws when the filter names a Service that is not served here. */
  listen(listener: TraceListener): () => void {
    const { service } = listener.filter;
    if (service !== null && this.#source.vipsOf(service).length === 0) {
      throw new Error(`no Service ${service} is served on this node; \`sluice services\` lists those that are`);
    }
    if (this.#listeners.size >= MOST_LISTENERS) throw new Error(`${MOST_LISTENERS} are looking already`);
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      this.#memories = Array.from({ length: this.#source.workers }, () => traceRingMemory(RING_BYTES));
      this.#rings = this.#memories.map((memory) => new TraceRing(memory));
      // What came when the last one had left concerns nobody.
      this.#source.drainSamples(() => {});
      this.#samplesLostBefore = this.#source.samplesLost();
    }
    this.#order();
    this.#timer ??= setInterval(() => this.#read(), READ_MILLISECONDS);
    return () => {
      if (!this.#listeners.delete(listener)) return;
      this.#order();
      if (this.#listeners.size > 0) return;
      if (this.#timer !== null) clearInterval(this.#timer);
      this.#timer = null;
    };
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#listeners.clear();
  }

  /** Tells workers and programs what is wanted now: into the same rings, as long as anybody looks. */
  #order(): void {
    const listeners = [...this.#listeners];
    const snapBytes = Math.max(0, ...listeners.map((one) => one.snapBytes));
    const filters = listeners.map(({ filter }) =>
      workerFilter(filter, filter.service === null ? [] : this.#source.vipsOf(filter.service)),
    );
    if (listeners.length === 0) {
      this.#memories = [];
      this.#rings = [];
    }
    this.#source.publish(this.#memories.map((ring) => ({ ring, snapBytes, filters })));
    const rates = listeners.map((one) => one.sampleEvery).filter((every) => every > 0);
    this.#sampleEvery = rates.length === 0 ? 0 : Math.min(...rates);
    this.#source.sampleEvery(this.#sampleEvery);
  }

  #read(): void {
    const records: FrameRecord[] = [];
    for (const [worker, ring] of this.#rings.entries()) {
      for (let at = ring.next(); at >= 0; at = ring.next()) {
        records.push(readFrameRecord(ring, at, worker));
        ring.release();
      }
    }
    this.#source.drainSamples((sample) => records.push(ofSample(sample)));
    if (this.#listeners.size === 0) return;
    const scene = records.length === 0 ? null : this.#source.scene();
    for (const record of records.sort((a, b) => a.nanoseconds - b.nanoseconds)) {
      const event = describeFrame(record, scene!, record.by === "kernel" ? this.#sampleEvery : 1);
      for (const listener of this.#listeners) if (matches(listener.filter, event)) listener.take(event, record);
    }
    const lost = this.#rings.reduce((sum, ring) => sum + ring.lost, 0);
    const samplesLost = this.#sampleEvery === 0 ? 0 : this.#source.samplesLost() - this.#samplesLostBefore;
    for (const listener of this.#listeners) listener.read(lost + samplesLost);
  }
}

function ofSample({ nanoseconds, lengthBytes, port, egress, frame }: FrameSample): FrameRecord {
  return {
    ...{ by: "kernel", worker: -1, port, egress, verdict: Verdict.Transmit, reason: 0 },
    ...{ policy: 0, answer: 0, answerReason: 0, nanoseconds, before: new Uint8Array(), beforeLengthBytes: 0 },
    ...{ after: frame, afterLengthBytes: lengthBytes },
  };
}
