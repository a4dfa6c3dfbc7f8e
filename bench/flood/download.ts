/**
 * The client of the flood benchmark, a program of its own: downloads of one file, one after another over one connection.
 *
 *   node download.ts URL COUNT
 *
 * Prints "begun" with the first byte, and at the end one JSON line, `Download`.
 */
import { createHash } from "node:crypto";
import { Agent, get } from "node:http";

export interface Download {
  /** Of each file that came. */
  readonly sha256: readonly string[];
  readonly megabytesPerSecond: number;
  /** The longest time in which nothing came, milliseconds. */
  readonly longestStall: number;
  readonly connections: number;
}

async function main(url: string, count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sha256: string[] = [];
  const sockets = new Set<number>();
  let bytes = 0;
  let longestStall = 0;
  const start = performance.now();
  let heard = start;
  for (let file = 0; file < count; file++) {
    const hash = createHash("sha256");
    await new Promise<void>((resolve, reject) => {
      const request = get(url, { agent }, (response) => {
        response.on("data", (piece: Buffer) => {
          if (bytes === 0) console.log("begun");
          longestStall = Math.max(longestStall, performance.now() - heard);
          bytes += piece.length;
          hash.update(piece);
          heard = performance.now();
        });
        response.on("end", resolve);
        response.on("error", reject);
      });
      request.on("socket", (socket) => socket.once("connect", () => sockets.add(socket.localPort ?? 0)));
      request.on("error", reject);
    });
    sha256.push(hash.digest("hex"));
  }
  const megabytesPerSecond = bytes / 1e3 / (performance.now() - start);
  agent.destroy();
  console.log(JSON.stringify({ sha256, megabytesPerSecond, longestStall, connections: sockets.size }));
}

if (import.meta.main) await main(process.argv[2]!, Number(process.argv[3]));
