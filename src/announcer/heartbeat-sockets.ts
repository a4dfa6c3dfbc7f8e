/** UDP sockets of the heartbeats, one per family; what is not authentic is counted and forgotten. */
import { createSocket, type Socket } from "node:dgram";
import type { Heartbeat } from "../l2/heartbeat.ts";
import { Assembly, type Authenticate, decodeHeartbeat, encodeHeartbeat } from "../l2/heartbeat-codec.ts";

import { authenticator } from "./authentication.ts";

/** Where heartbeats are heard and what they come from, by family; `null` for no heartbeats by that family. */
export type OwnAddresses = Readonly<Record<4 | 6, string | null>>;

const ANY_ADDRESS: OwnAddresses = { 4: "0.0.0.0", 6: "::" };

export class HeartbeatSockets {
  sent = 0;
  received = 0;
  refused = 0;
  readonly #authenticate: Authenticate;
  readonly #port: number;
  readonly #sockets: Readonly<Record<4 | 6, Socket>>;
  readonly #assembly = new Assembly();

  private constructor(key: Uint8Array, port: number, take: (heartbeat: Heartbeat) => void) {
    this.#authenticate = authenticator(key);
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
  static async open(
    key: Uint8Array,
    port: number,
    take: (heartbeat: Heartbeat) => void,
    own: OwnAddresses = ANY_ADDRESS,
  ): Promise<HeartbeatSockets> {
    const sockets = new HeartbeatSockets(key, port, take);
    const bind = (family: 4 | 6) => own[family] !== null && bound(sockets.#sockets[family], port, own[family]);
    await Promise.all([bind(4), bind(6)]);
    return sockets;
  }

  send(heartbeat: Heartbeat, address: string): void {
    const socket = this.#sockets[address.includes(":") ? 6 : 4];
    for (const datagram of encodeHeartbeat(heartbeat, this.#authenticate)) {
      this.sent++;
      // What cannot be sent is as good as lost, and the other side notices.
      socket.send(datagram, this.#port, address, () => {});
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
