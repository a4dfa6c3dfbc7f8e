/**
 * A UDP server that sends every datagram back, over both families, until it is ended.
 *
 *   udp-echo.ts PORT
 */
import { createSocket } from "node:dgram";

const socket = createSocket("udp6");
socket.on("message", (message, sender) => socket.send(message, sender.port, sender.address));
socket.bind(Number(process.argv[2]), "::", () => process.stdout.write("ready\n"));
