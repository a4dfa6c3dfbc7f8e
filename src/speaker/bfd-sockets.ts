/**
 * UDP sockets of BFD (RFC 5881 §4, 5883 §4): one that receives for all sessions of a kind, and one per session that sends
 * from a port of its own, with TTL 255.
 *
 *     one hop:      to port 3784, received only with TTL 255: it was sent on the same link
 *     several hops: to port 4784, received with the least TTL that a session allows
 */
import { createSocket, type Socket } from "node:dgram";
import { type ControlPacket, decodeControlPacket } from "../bfd/control-packet.ts";
import { requireUdpHopLimit } from "../xdp/hop-limit.ts";
import type { BfdQuestion } from "./platform.ts";
import { plainAddress, scoped } from "./tcp-transport.ts";

export interface PacketSource {
  readonly address: string;
  readonly multihop: boolean;
}

export interface BfdSender {
  send(octets: Uint8Array): void;
  close(): void;
}

const SINGLE_HOP_PORT = 3784;
const MULTIHOP_PORT = 4784;
const TTL = 255;
/** RFC 5881 §4: the source port of a session. */
const FIRST_SOURCE_PORT = 49152;
const SOURCE_PORTS = 65536 - FIRST_SOURCE_PORT;

export class BfdSockets {
  readonly #take: (packet: ControlPacket, from: PacketSource) => void;
  readonly #receivers = new Map<string, Promise<Socket>>();
  readonly #leastTtl = new Map<string, number>();
  #nextPort = Math.floor(Math.random() * SOURCE_PORTS);

  constructor(take: (packet: ControlPacket, from: PacketSource) => void) {
    this.#take = take;
  }

  /** Makes ready to receive from the peer and to send to it; rejects in words. */
  async open(question: BfdQuestion): Promise<BfdSender> {
    const family = question.remoteAddress.includes(":") ? 6 : 4;
    const multihop = question.spec.minimumTtl != null;
    const receiver = await this.#receiver(family, multihop);
    const key = `${family} ${multihop}`;
    const least = Math.min(this.#leastTtl.get(key) ?? TTL, question.spec.minimumTtl ?? TTL);
    this.#leastTtl.set(key, least);
    requireUdpHopLimit(receiver, family, least);
    const socket = await this.#sender(family, question);
    const port = multihop ? MULTIHOP_PORT : SINGLE_HOP_PORT;
    const to = scoped({ address: question.remoteAddress, interfaceName: question.interfaceName });
    // What cannot be sent is as good as lost, and the detection time says so.
    return { send: (octets) => socket.send(octets, port, to, () => {}), close: () => socket.close() };
  }

  close(): void {
    for (const receiver of this.#receivers.values()) void receiver.then((socket) => socket.close());
    this.#receivers.clear();
  }

  #receiver(family: 4 | 6, multihop: boolean): Promise<Socket> {
    const key = `${family} ${multihop}`;
    const known = this.#receivers.get(key);
    if (known !== undefined) return known;
    const opening = (async () => {
      const socket = createSocket({ type: family === 6 ? "udp6" : "udp4", ipv6Only: family === 6 });
      socket.on("message", (octets, { address }) => {
        const packet = decodeControlPacket(octets);
        if (typeof packet !== "string") this.#take(packet, { address: plainAddress(address), multihop });
      });
      const port = multihop ? MULTIHOP_PORT : SINGLE_HOP_PORT;
      await bound(socket, port, family === 6 ? "::" : "0.0.0.0");
      return socket;
    })();
    this.#receivers.set(key, opening);
    opening.catch(() => this.#receivers.delete(key));
    return opening;
  }

  async #sender(family: 4 | 6, { localAddress, interfaceName }: BfdQuestion): Promise<Socket> {
    const address = scoped({ address: localAddress, interfaceName });
    for (let attempt = 0; ; attempt++) {
      const socket = createSocket(family === 6 ? "udp6" : "udp4");
      const port = FIRST_SOURCE_PORT + (this.#nextPort++ % SOURCE_PORTS);
      try {
        await bound(socket, port, address);
        socket.setTTL(TTL);
        return socket;
      } catch (error) {
        if (attempt === 20) throw error;
      }
    }
  }
}

function bound(socket: Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", (error: NodeJS.ErrnoException) => {
      socket.close();
      const taken = error.code === "EADDRINUSE" ? "another BFD daemon runs on this node" : error.message;
      reject(new Error(`BFD cannot use UDP port ${port} of ${address}: ${taken}`));
    });
    socket.bind({ port, address, exclusive: true }, () => {
      socket.removeAllListeners("error");
      socket.on("error", () => {});
      resolve();
    });
  });
}
