/**
 * The speaker in one thread: sessions kept as a `SpeakerSpec` declares them. `speaker.ts` runs it on a thread of its own;
 * tests and a sidecar process can use it directly.
 *
 * A session is known by local AS, peer name and peer address; when one of these changes it is another session, and the
 * old one is closed with Cease/Administrative Shutdown.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { ReceivedRoute } from "../bgp/adj-rib-in.ts";
import type { InstanceSpec, PeerStatus, RouteSpec, SpeakerSpec } from "../bgp/speaker-spec.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { PeerSession } from "./peer-session.ts";
import type { SpeakerEvent, SpeakerListener } from "./speaker-event.ts";
import { dialTcp, TcpTransport } from "./tcp-transport.ts";
import type { Dial } from "./transport.ts";

export interface SpeakerOptions {
  /** Routers may have kept our routes from before: set the restart bit in the first OPEN. */
  readonly restarting: boolean;
}

export interface StopOptions {
  /** Tell the peers (they drop our routes at once); false leaves that to graceful restart. */
  readonly cease: boolean;
}

const REMOVED = "removed from the configuration";
const STOPPED = "the speaker is stopping";

export class SpeakerCore {
  readonly #sessions = new Map<string, PeerSession>();
  readonly #servers = new Map<number, Server>();
  readonly #listeners = new Set<SpeakerListener>();
  readonly #options: SpeakerOptions;
  readonly #dial: Dial;

  constructor(options: SpeakerOptions, dial: Dial = dialTcp) {
    this.#options = options;
    this.#dial = dial;
  }

  /**
   * Makes the sessions be as `spec` says. Throws when the spec is impossible, and then changes nothing; throws too when a
   * port to listen on is taken, with the sessions in force all the same: they connect without it.
   */
  async apply(spec: SpeakerSpec): Promise<void> {
    for (const instance of spec.instances) {
      if (parseIpv4(instance.routerId) === null) throw new Error(`router ID ${instance.routerId} is not a dotted quad`);
    }
    const wanted = new Set<string>();
    for (const instance of spec.instances) {
      for (const peer of instance.peers) {
        wanted.add(sessionKey(instance.localAsn, peer));
      }
    }
    for (const [key, session] of this.#sessions) {
      if (wanted.has(key)) continue;
      this.#sessions.delete(key);
      session.stop(REMOVED);
    }
    for (const instance of spec.instances) this.#applyInstance(instance);
    await this.#listenOn(spec);
  }

  status(): PeerStatus[] {
    return [...this.#sessions.values()].map((session) => session.status());
  }

  /** What the peer has been told; empty for an unknown peer or one that is not established. */
  advertised(peerName: string): RouteSpec[] {
    return this.#named(peerName).flatMap((session) => session.advertised());
  }

  received(peerName: string, most = 1000): ReceivedRoute[] {
    return this.#named(peerName).flatMap((session) => session.received(most));
  }

  /** Calls `listener` on each event until the returned function is called. */
  onEvent(listener: SpeakerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop({ cease }: StopOptions): Promise<void> {
    for (const session of this.#sessions.values()) session.stop(cease ? STOPPED : null);
    this.#sessions.clear();
    await this.#listenOn({ instances: [] });
  }

  #applyInstance(instance: InstanceSpec): void {
    const environment = {
      dial: this.#dial,
      now: Date.now,
      emit: (event: SpeakerEvent) => this.#emit(event),
      restarting: this.#options.restarting,
    };
    for (const peer of instance.peers) {
      const key = sessionKey(instance.localAsn, peer);
      const session = this.#sessions.get(key);
      if (session !== undefined) {
        session.reconfigure(instance, peer);
        continue;
      }
      const added = new PeerSession(instance, peer, environment);
      this.#sessions.set(key, added);
      added.start();
    }
  }

  #emit(event: SpeakerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #named(peerName: string): PeerSession[] {
    return [...this.#sessions.values()].filter((session) => session.status().name === peerName);
  }

  async #listenOn(spec: SpeakerSpec): Promise<void> {
    const ports = new Set(spec.instances.flatMap((instance) => instance.listenPort ?? []));
    for (const [port, server] of this.#servers) {
      if (ports.has(port)) continue;
      this.#servers.delete(port);
      server.close();
    }
    for (const port of ports) {
      if (!this.#servers.has(port)) this.#servers.set(port, await listen(port, (socket) => this.#accept(socket)));
    }
  }

  #accept(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? "");
    const session = [...this.#sessions.values()].find((one) => one.address === address);
    // An unsigned connection must not pass for a peer that is to sign its segments.
    if (session === undefined || session.needsPassword) {
      socket.destroy();
      return;
    }
    const options = { address, port: socket.remotePort ?? 0, localAddress: socket.localAddress ?? null };
    session.accept((listener) => new TcpTransport(socket, listener, options));
  }
}

function sessionKey(localAsn: number, peer: { readonly name: string; readonly address: string }): string {
  return `${localAsn} ${peer.address} ${peer.name}`;
}

/** A dual-stack listener sees IPv4 peers as `::ffff:a.b.c.d`. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}

function listen(port: number, accept: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      reject(new Error(taken ? `TCP port ${port} is taken: another BGP speaker runs on this node` : error.message));
    });
    server.listen(port, () => resolve(server));
  });
}
