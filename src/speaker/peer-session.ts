/**
 * The session with one peer: its connection (two while a collision is undecided), what it announces, what it receives,
 * and what there is to tell about it.
 *
 * Declarative: `reconfigure` compares the new spec with the old one and disturbs as little as it can. Changed routes are
 * UPDATEs; timers hold from the next session on; only what both sides settled on (`peer-change.ts`) resets the session.
 */
import { AdjRibIn, type ReceivedRoute } from "../bgp/adj-rib-in.ts";
import { AdjRibOut } from "../bgp/adj-rib-out.ts";
import type { DeclaredPeer } from "../bgp/declared-spec.ts";
import { explainRoute } from "../bgp/explain-route.ts";
import { type ExportPolicy, exportPolicy, nextHopFor } from "../bgp/export-policy.ts";
import { Cease, ErrorCode, type Fault, reset } from "../bgp/fault.ts";
import { hintFor } from "../bgp/hint.ts";
import type { RouteRefresh, Update } from "../bgp/message.ts";
import { AFI_IPV4, AFI_IPV6, SAFI_UNICAST } from "../bgp/mp-nlri.ts";
import { collisionLoser, type Negotiated, type SessionConfig } from "../bgp/negotiation.ts";
import { cease } from "../bgp/notification.ts";
import { type RouteTable, rowText } from "../bgp/route-table.ts";
import { AWAITING_PEER, IDLE } from "../bgp/session-event.ts";
import { sessionPcap } from "../bgp/session-pcap.ts";
import { SessionRecorder } from "../bgp/session-recorder.ts";
import type { PeerStatus, RouteSpec, SessionState } from "../bgp/speaker-spec.ts";
import type { RouteTables, UpdateGroups } from "../bgp/update-group.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { hopLimits, type InstanceIdentity, resettingChange, sessionConfigOf } from "./peer-change.ts";
import { PeerLiveness } from "./peer-liveness.ts";
import type { FoundPeer, Platform } from "./platform.ts";
import type { SpeakerEvent } from "./speaker-event.ts";
import type { Incoming, Transport, TransportListener } from "./transport.ts";

interface PeerEnvironment {
  readonly platform: Platform;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly emit: (event: SpeakerEvent) => void;
  readonly restarting: boolean;
  /** Shared by all sessions: equal declarations and equal UPDATEs are made once. */
  readonly tables: RouteTables;
  readonly groups: UpdateGroups;
}

export class PeerSession implements ConnectionOwner {
  readonly #environment: PeerEnvironment;
  readonly #recorder = new SessionRecorder();
  readonly #liveness: PeerLiveness;
  #identity: InstanceIdentity;
  #spec: DeclaredPeer;
  #declared: RouteTable;
  /** Where the peer is; `null` until discovery has found it. */
  #peer: FoundPeer | null;
  /** The connection that stands for the session. */
  #main: Connection;
  /** One that the peer opened while `#main` was not established. */
  #incoming: Connection | null = null;
  #ribOut: AdjRibOut | null = null;
  #ribIn = new AdjRibIn();
  #disabledFamilies = new Set<"ipv4" | "ipv6">();
  #establishedAtMilliseconds: number | null = null;
  #downSinceMilliseconds: number | null;
  #messagesSent = 0;
  #messagesReceived = 0;
  #timesEstablished = 0;
  #lastError: string | null = null;
  /** The last error ended an established session; one that only delayed it is forgotten when the session comes up. */
  #errorEndedSession = false;

  constructor(identity: InstanceIdentity, spec: DeclaredPeer, environment: PeerEnvironment) {
    this.#identity = identity;
    this.#spec = spec;
    this.#environment = environment;
    this.#declared = environment.tables.shared(spec.routes);
    this.#downSinceMilliseconds = environment.now();
    this.#peer = spec.discovery ? null : { address: spec.address, interfaceName: spec.interfaceName ?? null };
    this.#main = new Connection(this, IDLE, null);
    this.#liveness = new PeerLiveness(environment.platform, {
      onDown: (words) => this.#lost(words),
      onFound: (peer) => this.#found(peer),
      onProblem: (words) => {
        this.#lastError = words;
      },
    });
  }

  get name(): string {
    return this.#spec.name;
  }

  get address(): string | null {
    return this.#peer?.address ?? null;
  }

  get spec(): DeclaredPeer {
    return this.#spec;
  }

  get identity(): InstanceIdentity {
    return this.#identity;
  }

  get declared(): RouteTable {
    return this.#declared;
  }

  /** The peer keeps our routes for a while when the session ends without a word. */
  get restartsGracefully(): boolean {
    return this.#main.state === "Established" && this.#main.negotiated?.gracefulRestart === true;
  }

  start(): void {
    if (this.#spec.shutdown != null) this.#lastError = shutdownWords(this.#spec.shutdown);
    else if (this.#spec.discovery != null) this.#liveness.discover(this.#spec.discovery);
    else this.#main.handle({ type: "start" });
  }

  reconfigure(identity: InstanceIdentity, spec: DeclaredPeer): void {
    const old = this.#spec;
    const changed = resettingChange(this.#identity, old, identity, spec);
    this.#identity = identity;
    this.#spec = spec;
    this.#declared = this.#environment.tables.shared(spec.routes);
    if (spec.discovery == null) this.#peer = { address: spec.address, interfaceName: spec.interfaceName ?? null };
    this.#watch();
    if (spec.shutdown != null) {
      if (old.shutdown === spec.shutdown) return;
      this.#end(cease(Cease.AdministrativeShutdown, spec.shutdown));
      this.#lastError = shutdownWords(spec.shutdown);
    } else if (old.shutdown != null) this.start();
    else if (changed !== null) this.#restart(`${changed} changed in the configuration`);
    else this.#flush();
  }

  /** Ends the session for good; without a `reason` the peer is not told, so that it may keep our routes (RFC 4724). */
  stop(reason: string | null): void {
    this.#liveness.stop();
    this.#end(reason === null ? null : cease(Cease.AdministrativeShutdown, reason));
  }

  /** A connection that the peer opened; refused while one is established (RFC 4271 §6.8). */
  accept(incoming: Incoming): void {
    const refused = this.#spec.shutdown != null || this.#incoming !== null;
    if (this.#main.state === "Established" && !refused && this.#main.negotiated?.gracefulRestart === true) {
      // RFC 4724 §4.2: a peer that restarts connects again before we notice that the old connection is dead.
      this.#main.handle({ type: "connection-failed", words: "the peer has restarted and connects again" });
    }
    if (refused || this.#main.state === "Established") {
      incoming.refuse();
      return;
    }
    const limits = hopLimits(this.#identity.localAsn, this.#spec);
    this.#incoming = new Connection(this, AWAITING_PEER, (listener) => incoming.take(limits, listener));
    this.#incoming.handle({ type: "connected" });
  }

  /** Asks the peer for all its routes again (RFC 2918). */
  requestRefresh(): void {
    for (const { afi } of this.#main.negotiated?.families ?? []) {
      const number = afi === "ipv4" ? AFI_IPV4 : AFI_IPV6;
      this.#main.send({ type: "ROUTE-REFRESH", afi: number, safi: SAFI_UNICAST, subtype: 0 });
    }
  }

  status(): PeerStatus {
    const negotiated = this.#main.state === "Established" ? this.#main.negotiated : null;
    const lastError = this.#lastError ?? refusalOf(this.#declared);
    return {
      localAsn: this.#identity.localAsn,
      name: this.#spec.name,
      address: this.address ?? "",
      asn: this.#spec.asn === 0 ? (negotiated?.peerAsn ?? 0) : this.#spec.asn,
      state: this.#main.state,
      establishedAtMilliseconds: this.#establishedAtMilliseconds,
      downSinceMilliseconds: this.#downSinceMilliseconds,
      holdTimeSeconds: negotiated?.holdTimeSeconds ?? null,
      routesAdvertised: this.#ribOut?.size ?? 0,
      routesReceived: this.#ribIn.size,
      messagesSent: this.#messagesSent,
      messagesReceived: this.#messagesReceived,
      timesEstablished: this.#timesEstablished,
      lastError,
      hint: hintFor(lastError, this.#spec, this.#identity.localAsn),
      bfd: this.#liveness.bfdState,
    };
  }

  advertised(): RouteSpec[] {
    const rib = this.#ribOut;
    if (rib === null) return [];
    const { sent, policy } = rib;
    return (["ipv4", "ipv6"] as const).flatMap((afi) =>
      Array.from(sent[afi].attributes, (index, row): RouteSpec => {
        const attributes = sent.attributes[index]!;
        const nextHop = nextHopFor(attributes, afi, policy) ?? attributes.nextHop;
        return { ...attributes.example, prefix: rowText(sent[afi], afi, row), nextHop };
      }),
    );
  }

  received(most: number): ReceivedRoute[] {
    return this.#ribIn.routes(most);
  }

  explain(prefix: string): string[] {
    const rib = this.#ribOut;
    const families = this.#main.negotiated?.families ?? [];
    const session = rib === null ? null : { families, policy: rib.policy, sent: rib.sent };
    return explainRoute({ prefix, status: this.status(), declared: this.#declared, session });
  }

  /** The last messages of the session as a capture file. */
  capture(): Uint8Array {
    const remoteAddress = this.address ?? "0.0.0.0";
    const unknown = remoteAddress.includes(":") ? "::" : "0.0.0.0";
    const localAddress = this.#main.localAddress ?? this.#spec.localAddress ?? unknown;
    const ends = { localAddress, localPort: 179, remoteAddress, remotePort: this.#spec.port };
    return sessionPcap(ends, this.#recorder.messages());
  }

  get config(): SessionConfig {
    const restarting = this.#environment.restarting && this.#timesEstablished === 0;
    return sessionConfigOf(this.#identity, this.#spec, restarting);
  }

  get sendHoldSeconds(): number | null {
    return this.#spec.sendHoldSeconds ?? null;
  }

  dial(listener: TransportListener): Transport {
    const { port, localAddress, password } = this.#spec;
    const { address, interfaceName } = this.#peer!;
    const limits = hopLimits(this.#identity.localAsn, this.#spec);
    return this.#environment.platform.dial(
      { address, port, localAddress, interfaceName, password, ...limits },
      listener,
    );
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
      this.#downSinceMilliseconds = this.#environment.now();
    }
    const { localAsn } = this.#identity;
    const { name } = this.#spec;
    const address = this.address ?? "";
    const words = to === "Established" || from === "Idle" ? null : this.#lastError;
    const atMilliseconds = this.#environment.now();
    this.#environment.emit({ type: "state", localAsn, name, address, from, to, words, atMilliseconds });
  }

  onOpened(connection: Connection, negotiated: Negotiated): void {
    const other = connection === this.#main ? this.#incoming : this.#main;
    if (other === null || (other.state !== "OpenSent" && other.state !== "OpenConfirm")) return;
    const loser = collisionLoser(this.config, negotiated.peerRouterId, negotiated.peerAsn);
    if (loser === "incoming") this.#dropIncoming();
    else this.#promoteIncoming(connection);
  }

  onEstablished(connection: Connection, negotiated: Negotiated): void {
    if (connection !== this.#main) this.#promoteIncoming(connection);
    if (!this.#errorEndedSession) this.#lastError = null;
    this.#timesEstablished++;
    this.#establishedAtMilliseconds = this.#environment.now();
    this.#downSinceMilliseconds = null;
    this.#disabledFamilies = new Set();
    this.#ribIn = new AdjRibIn(negotiated);
    this.#ribOut = new AdjRibOut(negotiated, this.#policy(negotiated), this.#environment.groups);
    this.#watch();
    this.#flush();
  }

  onUpdate(_connection: Connection, update: Update, faults: readonly Fault[]): void {
    for (const fault of faults) {
      this.#lastError = `UPDATE of the peer: ${fault.message} (${fault.action})`;
      if (fault.family !== null) this.#disabledFamilies.add(fault.family);
    }
    this.#ribIn.take(update);
    for (const family of this.#disabledFamilies) this.#ribIn.forget(family);
    const most = this.#spec.maxPrefixes ?? null;
    if (most !== null && this.#ribIn.size > most) {
      const words = `the peer announces more than the ${most} routes that are allowed`;
      this.#main.handle({ type: "fault", fault: reset(ErrorCode.Cease, Cease.PrefixLimit, words) });
    } else if (this.#ribIn.overflowed) {
      this.#lastError = `the peer announces more than ${this.#ribIn.size} routes; no more are kept`;
    }
  }

  onRefresh(connection: Connection, { afi, safi, subtype }: RouteRefresh): void {
    const family = afi === AFI_IPV4 ? "ipv4" : afi === AFI_IPV6 ? "ipv6" : null;
    // Families that we do not share, and subtypes that we do not know, are ignored (RFC 2918 §4, 7313 §5).
    if (family === null || safi !== SAFI_UNICAST || this.#ribOut === null) return;
    if (subtype === 0) connection.write(this.#ribOut.refresh(family));
    else if (subtype === 1) this.#ribIn.beginRefresh(family);
    else if (subtype === 2) this.#ribIn.endRefresh(family);
  }

  onReport(connection: Connection, words: string): void {
    if (connection !== this.#main) return;
    this.#lastError = words;
    this.#errorEndedSession = this.#establishedAtMilliseconds !== null;
  }

  onMessage(direction: "sent" | "received", octets: Uint8Array): void {
    if (direction === "sent") this.#messagesSent++;
    else this.#messagesReceived++;
    this.#recorder.note({ atMilliseconds: this.#environment.now(), direction, octets });
  }

  #policy(negotiated: Negotiated): ExportPolicy {
    const self = this.#main.localAddress ?? this.#spec.localAddress;
    return exportPolicy(negotiated, this.#identity.localAsn, self, this.#spec.gracefulShutdown ?? false);
  }

  #flush(): void {
    const negotiated = this.#main.negotiated;
    if (this.#ribOut === null || negotiated === null) return;
    this.#main.write(this.#ribOut.announce(this.#declared, this.#policy(negotiated)));
  }

  /** BFD needs our address, which the connection tells; it runs on when the session ends. */
  #watch(): void {
    const localAddress = this.#main.localAddress ?? this.#spec.localAddress;
    this.#liveness.watch(this.#spec.bfd ?? null, this.#peer, localAddress);
  }

  #lost(words: string): void {
    const text = `BFD: ${words}`;
    if (this.#main.state === "Established") this.#main.handle({ type: "bfd-down" });
    else this.#lastError ??= text;
  }

  #found(peer: FoundPeer | null): void {
    const known = this.#peer;
    this.#peer = peer;
    if (peer === null) {
      this.#end(null);
      this.#lastError = "the peer's address has not been found yet";
    } else if (known === null) this.#main.handle({ type: "start" });
    else this.#restart(`the peer is now ${peer.address}`);
  }

  #restart(words: string): void {
    this.#dropIncoming();
    this.#main.handle({ type: "restart", notification: cease(Cease.ConfigurationChange), words });
  }

  #end(notification: ReturnType<typeof cease> | null): void {
    this.#incoming?.handle({ type: "stop", notification });
    this.#incoming = null;
    this.#main.handle({ type: "stop", notification });
  }

  #dropIncoming(): void {
    const incoming = this.#incoming;
    this.#incoming = null;
    if (incoming === null) return;
    incoming.handle({ type: "collision" });
    incoming.handle({ type: "stop", notification: null });
  }

  /** The peer's connection takes the place of ours. */
  #promoteIncoming(inTransition: Connection): void {
    const incoming = this.#incoming;
    if (incoming === null) return;
    const ours = this.#main;
    const from = ours.state;
    this.#incoming = null;
    this.#main = incoming;
    ours.handle({ type: "collision" });
    ours.handle({ type: "stop", notification: null });
    // One that is in a transition of its own tells of it itself.
    if (ours === inTransition) this.onState(incoming, from, incoming.state);
  }
}

/** Routes that cannot be announced, in words: the first few of them. */
function refusalOf({ refused }: RouteTable): string | null {
  return refused.length === 0 ? null : `${refused.length} routes not announced: ${refused.slice(0, 3).join("; ")}`;
}

function shutdownWords(text: string): string {
  return text === "" ? "switched off by the configuration" : `switched off by the configuration: ${text}`;
}
