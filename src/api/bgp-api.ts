/**
 * The part of the API that shows the BGP speaker.
 *
 *   GET /v1/bgp/peers                      GET /v1/bgp/advertised?peer=NAME
 *   GET /v1/bgp/received?peer=NAME&limit=N GET /v1/bgp/explain?prefix=P[&peer=NAME]
 *   GET /v1/bgp/capture?peer=NAME          a capture file of the session's last messages
 *   GET /v1/bgp/events                     one line of JSON per event, until the asker leaves
 */
import type { ServerResponse } from "node:http";

/** What a speaker answers; `Speaker` is one. */
export interface BgpSource {
  status(): Promise<unknown>;
  advertised(peer: string): Promise<unknown>;
  received(peer: string, most: number): Promise<unknown>;
  explain(prefix: string, peer: string | null): Promise<unknown>;
  capture(peer: string): Promise<Uint8Array | null>;
  onEvent(listener: (event: unknown) => void): () => void;
}

const MOST_RECEIVED = 1000;
/** What may wait for an asker that reads slowly; it misses what comes meanwhile. */
const MOST_WAITING_BYTES = 1 << 20;

/** @returns false when the path is none of these. */
export async function answerBgp(source: BgpSource, url: URL, response: ServerResponse): Promise<boolean> {
  const peer = url.searchParams.get("peer");
  const json = (value: unknown) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
    return true;
  };
  switch (url.pathname) {
    case "/v1/bgp/peers":
      return json(await source.status());
    case "/v1/bgp/advertised":
      return json(await source.advertised(peer ?? ""));
    case "/v1/bgp/received":
      return json(await source.received(peer ?? "", Number(url.searchParams.get("limit")) || MOST_RECEIVED));
    case "/v1/bgp/explain":
      return json(await source.explain(url.searchParams.get("prefix") ?? "", peer));
    case "/v1/bgp/capture": {
      const octets = await source.capture(peer ?? "");
      response.writeHead(octets === null ? 404 : 200, {
        "content-type": octets === null ? "application/json" : "application/vnd.tcpdump.pcap",
      });
      response.end(octets ?? JSON.stringify({ error: `there is no peer ${peer}` }));
      return true;
    }
    case "/v1/bgp/events": {
      response.writeHead(200, { "content-type": "application/x-ndjson" });
      // Who asks is to know that it is heard before something happens.
      response.flushHeaders();
      const leave = source.onEvent((event) => {
        if (response.writableLength <= MOST_WAITING_BYTES) response.write(`${JSON.stringify(event)}\n`);
      });
      response.once("close", leave);
      return true;
    }
    default:
      return false;
  }
}
