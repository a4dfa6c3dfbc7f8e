/** UDP sockets of the heartbeats, one per family; what is not authentic is counted and forgotten. */
import { createHmac } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import type { Heartbeat } from "../l2/heartbeat.ts";
import { Assembly, type Authenticate, decodeHeartbeat, encodeHeartbeat } from "../l2/heartbeat-codec.ts";

export class HeartbeatSockets {
  sent = 0;
  received = 0;
  refused = 0;
  readonly #authenticate: Authenticate;
  readonly #port: number;
  readonly #sockets: Readonly<Record<4 | 6, Socket>>;
  readonly #assembly = new Assembly();

  private constructor(key: Uint8Array, port: number, take: (heartbeat: Heartbeat) => void) {
    this.#authenticate = (octets) => createHmac("sha256", key).update(octets).digest();
    this.#port = port;
    this.#sockets = { 4: createSocket("udp4"), 6: createSocket({ type: "udp6", ipv6Only: true }) };
    for (const socket of [this.#sockets[4], this.#sockets[6]]) {
      socket.on("message", (datagram) => {
        const part = decodeHeartbeat(datagram, this.#authenticate);
        if (part === null) {
          this.refused++;
          return;
        }
        this.received++;
        take(this.#assembly.add(part));
      });
    }
  }

  /** Rejects in words where the port is taken. */
  static async open(key: Uint8Array, port: number, take: (heartbeat: Heartbeat) => void): Promise<HeartbeatSockets> {
    const sockets = new HeartbeatSockets(key, port, take);
    await Promise.all([bound(sockets.#sockets[4], port, "0.0.0.0"), bound(sockets.#sockets[6], port, "::")]);
    return sockets;
  }

  send(heartbeat: Heartbeat, addresses: readonly string[]): void {
    const datagrams = encodeHeartbeat(heartbeat, this.#authenticate);
    for (const address of addresses) {
      const socket = this.#sockets[address.includes(":") ? 6 : 4];
      for (const datagram of datagrams) {
        this.sent++;
        // What cannot be sent is as good as lost, and the other side notices.
        socket.send(datagram, this.#port, address, () => {});
      }
    }
  }

  close(): void {
    this.#sockets[4].close();
    this.#sockets[6].close();
  }
}

function bound(socket: Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", (cause) => {
      const why = `cannot receive heartbeats on UDP port ${port}: ${cause.message}; \`--l2-port\` names another one`;
      // A machine without IPv6 has no such socket, and no heartbeats by it.
      if ((cause as NodeJS.ErrnoException).code === "EAFNOSUPPORT") resolve();
      else reject(new Error(why, { cause }));
    });
    socket.bind(port, address, () => {
      socket.on("error", () => {});
      resolve();
    });
  });
}
