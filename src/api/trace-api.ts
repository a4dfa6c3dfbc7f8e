/**
 * The part of the API that shows frames as they happen. Both end when the asker leaves, or after `count` frames.
 *
 *   GET /v1/monitor?[service=&client=&reason=&verdict=&policy=&captured=&sample=N&count=N]   a JSON object per line: a `FrameEvent`,
 *                        or {"lost": N}. An asker that accepts text/event-stream gets the same as server-sent events
 *   GET /v1/capture?...&[snap=BYTES]                                               the frames themselves, as pcapng
 *
 * An asker that reads too slowly loses frames, and is told how many; nothing waits for it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { TraceListener } from "../agent/frame-trace.ts";
import type { FrameEvent } from "../trace/frame-event.ts";
import { type FrameFilter, parseFrameFilter } from "../trace/frame-filter.ts";
import type { FrameRecord } from "../trace/frame-record.ts";
import { frameComment } from "../trace/frame-sentence.ts";
import { pcapngPacket, pcapngStart } from "../wire/pcapng.ts";

/** Where frames come from; `FrameTrace` is one. */
export interface FrameSource {
  listen(listener: TraceListener): () => void;
  /** Names by port id. */
  readonly ports: readonly string[];
}

const HEADER_BYTES = 192;
const DEFAULT_SAMPLE = 64;
const MOST_SAMPLE = 1 << 20;
const WHOLE_FRAME = 65_535;
/** What may wait for an asker that reads slowly. */
const MOST_WAITING_BYTES = 1 << 20;

interface Asked {
  readonly filter: FrameFilter;
  readonly sampleEvery: number;
  readonly count: number;
  readonly snapBytes: number;
}

/** Whether a path is one of these. */
export function showsFrames({ pathname }: URL): boolean {
  return pathname === "/v1/monitor" || pathname === "/v1/capture";
}

export function answerTrace(source: FrameSource, url: URL, request: IncomingMessage, response: ServerResponse): void {
  try {
    const asked = readAsked(url.searchParams);
    if (url.pathname === "/v1/monitor") monitor(source, asked, request, response);
    else capture(source, asked, response);
  } catch (error) {
    response.writeHead(400, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: (error as Error).message }));
  }
}

function monitor(source: FrameSource, asked: Asked, request: IncomingMessage, response: ServerResponse): void {
  const asEvents = request.headers.accept?.includes("text/event-stream") ?? false;
  const type = asEvents ? "text/event-stream" : "application/x-ndjson";
  const write = (value: unknown) => {
    const json = JSON.stringify(value);
    response.write(asEvents ? `data: ${json}\n\n` : `${json}\n`);
  };
  follow(source, { ...asked, snapBytes: HEADER_BYTES }, response, type, {
    begin: () => response.flushHeaders(),
    frame: write,
    lost: (lost) => write({ lost }),
  });
}

function capture(source: FrameSource, asked: Asked, response: ServerResponse): void {
  follow(source, asked, response, "application/x-pcapng", {
    begin: () => response.write(pcapngStart([...source.ports, "unknown"], asked.snapBytes)),
    frame: (event, record) => {
      for (const packet of packetsOf(event, record, source.ports.length)) response.write(pcapngPacket(packet));
    },
    // A capture has no place for it; the monitor says it.
    lost: () => {},
  });
}

/** A frame as it came in, by its port, and as it was sent, by another. */
function packetsOf(event: FrameEvent, record: FrameRecord, unknownPort: number) {
  const comment = frameComment(event);
  const timestampSeconds = event.time / 1000;
  const sides = [
    { bytes: record.before, lengthBytes: record.beforeLengthBytes, port: record.port, direction: "in" as const },
    { bytes: record.after, lengthBytes: record.afterLengthBytes, port: record.egress, direction: "out" as const },
  ];
  return sides
    .filter(({ bytes }) => bytes.length > 0)
    .map(({ bytes, lengthBytes, port, direction }) => ({
      ...{ interface: port < 0 ? unknownPort : port, timestampSeconds, bytes, lengthBytes, direction, comment },
    }));
}

interface Writer {
  begin(): void;
  frame(event: FrameEvent, record: FrameRecord): void;
  lost(count: number): void;
}

function follow(source: FrameSource, asked: Asked, response: ServerResponse, type: string, writer: Writer): void {
  let left = asked.count;
  let lostHere = 0;
  let told = 0;
  const leave = source.listen({
    ...asked,
    take: (event, record) => {
      if (left === 0) return;
      if (response.writableLength > MOST_WAITING_BYTES) {
        lostHere++;
        return;
      }
      writer.frame(event, record);
      if (--left === 0) response.end();
    },
    read: (lost) => {
      if (left === 0 || lost + lostHere === told) return;
      told = lost + lostHere;
      writer.lost(told);
    },
  });
  response.once("close", leave);
  response.writeHead(200, { "content-type": type, "cache-control": "no-store" });
  writer.begin();
}

function readAsked(words: URLSearchParams): Asked {
  const sample = numberOf(words, "sample", DEFAULT_SAMPLE, MOST_SAMPLE);
  if ((sample & (sample - 1)) !== 0) throw new Error(`sample ${sample}: a power of two expected, or 0 for none`);
  return {
    filter: parseFrameFilter((field) => words.get(field)),
    sampleEvery: sample,
    count: numberOf(words, "count", Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER) || Number.POSITIVE_INFINITY,
    snapBytes: Math.max(14, numberOf(words, "snap", WHOLE_FRAME, WHOLE_FRAME)),
  };
}

function numberOf(words: URLSearchParams, name: string, otherwise: number, most: number): number {
  const text = words.get(name);
  if (text === null || text === "") return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new Error(`${name} ${text}: a whole number from 0 to ${most} expected`);
  }
  return value;
}
