/**
 * The session with one peer: its connection (two while a collision is undecided), what it announces, what it receives,
 * and what there is to tell about it.
 *
 * Declarative: `reconfigure` compares the new spec with the old one and disturbs as little as it can. Changed routes are
 * UPDATEs; timers hold from the next session on; only what both sides settled on (address of the connection, AS numbers,
 * identifier, families, password) resets the session.
 */
import { AdjRibIn, type ReceivedRoute } from "../bgp/adj-rib-in.ts";
import { AdjRibOut } from "../bgp/adj-rib-out.ts";
import { Cease, type Fault } from "../bgp/fault.ts";
import { formatIpv6Prefix } from "../bgp/ipv6-prefix.ts";
import type { RouteRefresh, Update } from "../bgp/message.ts";
import { AFI_IPV4, AFI_IPV6 } from "../bgp/mp-nlri.ts";
import { collisionLoser, type Negotiated, type SessionConfig } from "../bgp/negotiation.ts";
import { formatPrefixKey } from "../bgp/nlri.ts";
import { cease } from "../bgp/notification.ts";
import { compileRoutes, type RouteTable } from "../bgp/route-attributes.ts";
import { AWAITING_PEER, IDLE } from "../bgp/session-event.ts";
import type { InstanceSpec, PeerSpec, PeerStatus, RouteSpec, SessionState } from "../bgp/speaker-spec.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import type { SpeakerEvent } from "./speaker-event.ts";
import type { Dial, Transport, TransportListener } from "./transport.ts";

export type InstanceIdentity = Pick<InstanceSpec, "localAsn" | "routerId">;

export interface PeerEnvironment {
  readonly dial: Dial;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly emit: (event: SpeakerEvent) => void;
  readonly restarting: boolean;
}

export class PeerSession implements ConnectionOwner {
  readonly #environment: PeerEnvironment;
  #identity: InstanceIdentity;
  #spec: PeerSpec;
  #declared: RouteTable;
  /** The connection that stands for the session. */
  #main: Connection;
  /** One that the peer opened while `#main` was not established. */
  #incoming: Connection | null = null;
  #ribOut: AdjRibOut | null = null;
  #ribIn = new AdjRibIn();
  #disabledFamilies = new Set<"ipv4" | "ipv6">();
  #establishedAtMilliseconds: number | null = null;
  #messagesSent = 0;
  #messagesReceived = 0;
  #timesEstablished = 0;
  #lastError: string | null = null;
  /** The last error ended an established session; one that only delayed it is forgotten when the session comes up. */
  #errorEndedSession = false;

  constructor(identity: InstanceIdentity, spec: PeerSpec, environment: PeerEnvironment) {
    this.#identity = identity;
    this.#spec = spec;
    this.#environment = environment;
    this.#declared = compileRoutes(spec.routes);
    this.#main = new Connection(this, IDLE, null);
  }

  get address(): string {
    return this.#spec.address;
  }

  get needsPassword(): boolean {
    return this.#spec.password !== null;
  }

  start(): void {
    this.#main.handle({ type: "start" });
  }

  reconfigure(identity: InstanceIdentity, spec: PeerSpec): void {
    const changed = resettingChange(this.#identity, this.#spec, identity, spec);
    const routesChanged = JSON.stringify(spec.routes) !== JSON.stringify(this.#spec.routes);
    this.#identity = identity;
    this.#spec = spec;
    if (routesChanged) this.#declared = compileRoutes(spec.routes);
    if (changed !== null) {
      const words = `${changed} changed in the configuration`;
      this.#dropIncoming();
      this.#main.handle({ type: "restart", notification: cease(Cease.ConfigurationChange), words });
    } else if (routesChanged) this.#flush();
  }

  /** Ends the session for good; without a `reason` the peer is not told, so that it may keep our routes (RFC 4724). */
  stop(reason: string | null): void {
    const notification = reason === null ? null : cease(Cease.AdministrativeShutdown, reason);
    this.#incoming?.handle({ type: "stop", notification });
    this.#incoming = null;
    this.#main.handle({ type: "stop", notification });
  }

  /** A connection that the peer opened; refused while one is established (RFC 4271 §6.8). */
  accept(wrap: (listener: TransportListener) => Transport): void {
    if (this.#main.state === "Established" || this.#incoming !== null) {
      wrap(SILENT).abort();
      return;
    }
    this.#incoming = new Connection(this, AWAITING_PEER, wrap);
    this.#incoming.handle({ type: "connected" });
  }

  status(): PeerStatus {
    const negotiated = this.#main.state === "Established" ? this.#main.negotiated : null;
    return {
      localAsn: this.#identity.localAsn,
      name: this.#spec.name,
      address: this.#spec.address,
      asn: this.#spec.asn === 0 ? (negotiated?.peerAsn ?? 0) : this.#spec.asn,
      state: this.#main.state,
      establishedAtMilliseconds: this.#establishedAtMilliseconds,
      holdTimeSeconds: negotiated?.holdTimeSeconds ?? null,
      routesAdvertised: this.#ribOut?.size ?? 0,
      routesReceived: this.#ribIn.size,
      messagesSent: this.#messagesSent,
      messagesReceived: this.#messagesReceived,
      timesEstablished: this.#timesEstablished,
      lastError: this.#lastError ?? refusalOf(this.#declared),
    };
  }

  advertised(): RouteSpec[] {
    if (this.#ribOut === null) return [];
    const { ipv4, ipv6 } = this.#ribOut.sent;
    return [
      ...[...ipv4].map(([key, attributes]) => ({ ...attributes.example, prefix: formatPrefixKey(key) })),
      ...[...ipv6.values()].map((route) => ({ ...route.attributes.example, prefix: formatIpv6Prefix(route.prefix) })),
    ];
  }

  received(most: number): ReceivedRoute[] {
    return this.#ribIn.routes(most);
  }

  get config(): SessionConfig {
    const spec = this.#spec;
    return {
      localAsn: this.#identity.localAsn,
      routerId: parseIpv4(this.#identity.routerId)!,
      peerAsn: spec.asn,
      connectRetrySeconds: spec.connectRetrySeconds,
      holdTimeSeconds: spec.holdTimeSeconds,
      keepaliveTimeSeconds: spec.keepaliveTimeSeconds,
      families: spec.families,
      gracefulRestartSeconds: spec.gracefulRestartSeconds,
      restarting: this.#environment.restarting && this.#timesEstablished === 0,
      passive: false,
    };
  }

  dial(listener: TransportListener): Transport {
    const { address, port, localAddress, password } = this.#spec;
    const external = this.#spec.asn !== this.#identity.localAsn;
    const ttl = external ? this.#spec.ebgpMultihopTtl : null;
    return this.#environment.dial({ address, port, localAddress, ttl, password }, listener);
  }

  onState(connection: Connection, from: SessionState, to: SessionState): void {
    if (connection !== this.#main) {
      // One that failed has no next try: that is for the connection that we make.
      if (to === "Idle" || to === "Connect" || to === "Active") this.#dropIncoming();
      return;
    }
    if (from === "Established") {
      this.#ribOut = null;
      this.#ribIn = new AdjRibIn();
      this.#establishedAtMilliseconds = null;
    }
    const { localAsn } = this.#identity;
    const { name, address } = this.#spec;
    const words = to === "Established" || from === "Idle" ? null : this.#lastError;
    const atMilliseconds = this.#environment.now();
    this.#environment.emit({ type: "state", localAsn, name, address, from, to, words, atMilliseconds });
  }

  onOpened(connection: Connection, negotiated: Negotiated): void {
    const other = connection === this.#main ? this.#incoming : this.#main;
    if (other === null || (other.state !== "OpenSent" && other.state !== "OpenConfirm")) return;
    const loser = collisionLoser(this.config, negotiated.peerRouterId, negotiated.peerAsn);
    if (loser === "incoming") this.#dropIncoming();
    else this.#promoteIncoming();
  }

  onEstablished(connection: Connection, negotiated: Negotiated): void {
    if (connection !== this.#main) this.#promoteIncoming();
    if (!this.#errorEndedSession) this.#lastError = null;
    this.#timesEstablished++;
    this.#establishedAtMilliseconds = this.#environment.now();
    this.#disabledFamilies = new Set();
    this.#ribIn = new AdjRibIn();
    this.#ribOut = new AdjRibOut(negotiated);
    this.#flush();
  }

  onUpdate(_connection: Connection, update: Update, faults: readonly Fault[]): void {
    for (const fault of faults) {
      this.#lastError = `UPDATE of the peer: ${fault.message} (${fault.action})`;
      if (fault.family !== null) this.#disabledFamilies.add(fault.family);
    }
    this.#ribIn.take(update);
    for (const family of this.#disabledFamilies) this.#ribIn.forget(family);
    if (this.#ribIn.overflowed)
      this.#lastError = `the peer announces more than ${this.#ribIn.size} routes; no more are kept`;
  }

  onRefresh(connection: Connection, request: RouteRefresh): void {
    // Begin and end of an enhanced refresh are not negotiated; families we do not share are ignored (RFC 2918 §4).
    if (request.subtype !== 0 || this.#ribOut === null) return;
    if (request.safi !== 1) return;
    if (request.afi === AFI_IPV4) connection.write(this.#ribOut.refresh("ipv4"));
    else if (request.afi === AFI_IPV6) connection.write(this.#ribOut.refresh("ipv6"));
  }

  onReport(connection: Connection, words: string): void {
    if (connection !== this.#main) return;
    this.#lastError = words;
    this.#errorEndedSession = this.#establishedAtMilliseconds !== null;
  }

  onMessage(direction: "sent" | "received"): void {
    if (direction === "sent") this.#messagesSent++;
    else this.#messagesReceived++;
  }

  #flush(): void {
    if (this.#ribOut !== null) this.#main.write(this.#ribOut.announce(this.#declared));
  }

  #dropIncoming(): void {
    const incoming = this.#incoming;
    this.#incoming = null;
    if (incoming === null) return;
    incoming.handle({ type: "collision" });
    incoming.handle({ type: "stop", notification: null });
  }

  /** The peer's connection takes the place of ours. */
  #promoteIncoming(): void {
    const incoming = this.#incoming;
    if (incoming === null) return;
    const ours = this.#main;
    const from = ours.state;
    this.#incoming = null;
    this.#main = incoming;
    ours.handle({ type: "collision" });
    ours.handle({ type: "stop", notification: null });
    this.onState(incoming, from, incoming.state);
  }
}

const SILENT: TransportListener = { onConnected() {}, onData() {}, onDrained() {}, onClosed() {} };

/** Routes that cannot be announced, in words: the first few of them. */
function refusalOf({ refused }: RouteTable): string | null {
  return refused.length === 0 ? null : `${refused.length} routes not announced: ${refused.slice(0, 3).join("; ")}`;
}

/** What changed that both sides have settled on, in words; `null` when the session can live on. */
function resettingChange(
  oldIdentity: InstanceIdentity,
  old: PeerSpec,
  identity: InstanceIdentity,
  spec: PeerSpec,
): string | null {
  if (oldIdentity.routerId !== identity.routerId) return "router ID";
  if (old.asn !== spec.asn) return "peer AS number";
  if (old.port !== spec.port) return "peer port";
  if (old.localAddress !== spec.localAddress) return "local address";
  if (old.password !== spec.password) return "password";
  if (old.ebgpMultihopTtl !== spec.ebgpMultihopTtl) return "multihop TTL";
  if (JSON.stringify(old.families) !== JSON.stringify(spec.families)) return "address families";
  return null;
}
