/**
 * The speaker in one thread: sessions kept as a spec declares them. `speaker.ts` runs it on a thread of its own, a
 * process of its own (`sidecar.ts`) has it on its only one.
 *
 * A session is known by local AS, peer name and peer address; when one of these changes it is another session, and the
 * old one is closed with Cease/Administrative Shutdown.
 */
import type { ReceivedRoute } from "../bgp/adj-rib-in.ts";
import type { DeclaredInstance, DeclaredSpec } from "../bgp/declared-spec.ts";
import type { PeerStatus, RouteSpec } from "../bgp/speaker-spec.ts";
import { RouteTables, UpdateGroups } from "../bgp/update-group.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { ListeningPorts } from "./listening-ports.ts";
import { PeerSession } from "./peer-session.ts";
import { PLAIN_PLATFORM, type Platform } from "./platform.ts";
import type { SpeakerEvent, SpeakerListener } from "./speaker-event.ts";
import type { Incoming } from "./transport.ts";

export interface SpeakerOptions {
  /** Routers may have kept our routes from before: set the restart bit in the first OPEN. */
  readonly restarting: boolean;
}

export interface StopOptions {
  /**
   * Tell the peers (they drop our routes at once); false closes without a word, so that a graceful restart may follow;
   * `"unless-graceful"` tells those that have not agreed on one.
   */
  readonly cease: boolean | "unless-graceful";
}

export interface Explanation {
  readonly peer: string;
  readonly words: readonly string[];
}

const REMOVED = "removed from the configuration";
const STOPPED = "the speaker is stopping";

export class SpeakerCore {
  readonly #sessions = new Map<string, PeerSession>();
  readonly #listeners = new Set<SpeakerListener>();
  readonly #options: SpeakerOptions;
  readonly #platform: Platform;
  readonly #ports: ListeningPorts;
  readonly #tables = new RouteTables();
  readonly #groups = new UpdateGroups();

  constructor(options: SpeakerOptions, platform: Platform = PLAIN_PLATFORM) {
    this.#options = options;
    this.#platform = platform;
    this.#ports = new ListeningPorts(platform.listen, (incoming, port) => this.#accept(incoming, port));
  }

  /**
   * Makes the sessions be as `spec` says. Throws when the spec is impossible, and then changes nothing; throws too when a
   * port to listen on is taken, with the sessions in force all the same: they connect without it.
   */
  async apply(spec: DeclaredSpec): Promise<void> {
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
    this.#tables.keep(new Set([...this.#sessions.values()].map((session) => session.declared)));
    this.#groups.forget();
    await this.#ports.apply(spec);
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

  /** Why each peer (or the one named) has the prefix or has it not. */
  explain(prefix: string, peerName: string | null): Explanation[] {
    const sessions = peerName === null ? [...this.#sessions.values()] : this.#named(peerName);
    return sessions.map((session) => ({ peer: session.name, words: session.explain(prefix) }));
  }

  /** Asks the peer for its routes again. */
  refresh(peerName: string): void {
    for (const session of this.#named(peerName)) session.requestRefresh();
  }

  /** The last messages of the peer's session as a capture file; `null` for an unknown peer. */
  capture(peerName: string): Uint8Array | null {
    return this.#named(peerName)[0]?.capture() ?? null;
  }

  /** Calls `listener` on each event until the returned function is called. */
  onEvent(listener: SpeakerListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop({ cease }: StopOptions): Promise<void> {
    for (const session of this.#sessions.values()) {
      const isTold = cease === "unless-graceful" ? !session.restartsGracefully : cease;
      session.stop(isTold ? STOPPED : null);
    }
    this.#sessions.clear();
    await this.#ports.apply({ instances: [] });
    this.#platform.close();
  }

  #applyInstance(instance: DeclaredInstance): void {
    const environment = {
      platform: this.#platform,
      now: Date.now,
      emit: (event: SpeakerEvent) => this.#emit(event),
      restarting: this.#options.restarting,
      tables: this.#tables,
      groups: this.#groups,
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
    return [...this.#sessions.values()].filter((session) => session.name === peerName);
  }

  #accept(incoming: Incoming, port: number): void {
    const session = [...this.#sessions.values()].find(
      ({ address, spec, identity }) =>
        address === incoming.remoteAddress &&
        identity.listenPort === port &&
        (spec.localAddress === null || spec.localAddress === incoming.localAddress),
    );
    // An unsigned connection must not pass for a peer that is to sign its segments.
    if (session === undefined || (session.spec.password !== null && !incoming.signed)) incoming.refuse();
    else session.accept(incoming);
  }
}

function sessionKey(localAsn: number, peer: { readonly name: string; readonly address: string }): string {
  return `${localAsn} ${peer.address} ${peer.name}`;
}
