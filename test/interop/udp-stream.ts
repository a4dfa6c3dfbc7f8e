/**
 * Both ends of a steady stream, each a process: `send ADDRESS PORT` sends a packet every 2 ms, `receive PORT` answers each
 * line on its standard input with the longest time between two packets since the last answer, and how many came.
 */
import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";

const [role, ...words] = process.argv.slice(2);
const EVERY_MILLISECONDS = 2;

if (role === "send") {
  const [address, port] = words as [string, string];
  const socket = createSocket("udp4");
  socket.on("error", () => {});
  setInterval(() => socket.send("x", Number(port), address, () => {}), EVERY_MILLISECONDS);
} else {
  let [last, longest, count] = [performance.now(), 0, 0];
  const socket = createSocket("udp4");
  socket.on("message", () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    count++;
  });
  socket.bind(Number(words[0]));
  for await (const _ of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify({ longestGapMilliseconds: longest, count })}\n`);
    [last, longest, count] = [performance.now(), 0, 0];
  }
}
