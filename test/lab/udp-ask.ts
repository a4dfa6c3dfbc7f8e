/**
 * A UDP client: sends datagrams from one connected socket, each after the answer to the last one, and prints how each
 * fared, one word a line: `echoed`, `changed`, `silent` (a second long), or what the kernel heard: `ECONNREFUSED`.
 *
 *   udp-ask.ts ADDRESS PORT LENGTH...
 */
import { createSocket } from "node:dgram";
import { deterministicBody } from "./deterministic-body.ts";

const PATIENCE_MILLISECONDS = 1000;

const [address, port, ...lengths] = process.argv.slice(2);
const socket = createSocket(address!.includes(":") ? "udp6" : "udp4");

function ask(datagram: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const settle = (outcome: string) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      resolve(outcome);
    };
    const timer = setTimeout(() => settle("silent"), PATIENCE_MILLISECONDS);
    socket.once("message", (answer) => settle(answer.equals(datagram) ? "echoed" : "changed"));
    socket.once("error", (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    socket.send(datagram, (error) => {
      if (error) settle((error as NodeJS.ErrnoException).code ?? error.message);
    });
  });
}

socket.connect(Number(port), address, async () => {
  for (const length of lengths) process.stdout.write(`${await ask(deterministicBody(Number(length)))}\n`);
  socket.close();
});
