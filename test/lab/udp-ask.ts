/**
 * A UDP client: sends datagrams from one connected socket, each after the answer to the last one, and prints how each
 * fared, one word a line: `echoed`, `changed`, `silent` (a second long), or what the kernel heard: `ECONNREFUSED`. An answer
 * that comes when its question has been given up is not taken for that of the next one.
 *
 *   udp-ask.ts [--anew] ADDRESS PORT LENGTH...     with `--anew` each from a port of its own
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { deterministicBody } from "./deterministic-body.ts";

const PATIENCE_MILLISECONDS = 1000;

const { values, positionals } = parseArgs({ options: { anew: { type: "boolean" } }, allowPositionals: true });
const [address, port, ...lengths] = positionals;

async function connected(): Promise<Socket> {
  const socket = createSocket(address!.includes(":") ? "udp6" : "udp4");
  socket.connect(Number(port), address);
  await once(socket, "connect");
  return socket;
}

function ask(socket: Socket, datagram: Buffer, givenUp: readonly Buffer[]): Promise<string> {
  return new Promise((resolve) => {
    const settle = (outcome: string) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      resolve(outcome);
    };
    const timer = setTimeout(() => settle("silent"), PATIENCE_MILLISECONDS);
    socket.on("message", (answer) => {
      if (answer.equals(datagram)) settle("echoed");
      else if (!givenUp.some((earlier) => answer.equals(earlier))) settle("changed");
    });
    socket.once("error", (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    socket.send(datagram, (error) => {
      if (error) settle((error as NodeJS.ErrnoException).code ?? error.message);
    });
  });
}

const givenUp: Buffer[] = [];
let socket = await connected();
for (const length of lengths) {
  const datagram = deterministicBody(Number(length));
  const outcome = await ask(socket, datagram, givenUp);
  if (outcome === "silent") givenUp.push(datagram);
  process.stdout.write(`${outcome}\n`);
  if (!values.anew) continue;
  socket.close();
  socket = await connected();
}
socket.close();
