/**
 * One node of the agreement at work: hears heartbeats and links, steps the agreement, and carries its effects out. Runs on
 * a thread of its own, so that a plan for ten thousand Services does not make this node look dead.
 *
 *   heartbeats ─┐                 ┌─> heartbeats
 *   links ──────┼──> agreement ───┼─> maps of what is answered for
 *   plan, time ─┘                 └─> announcements, for five seconds
 */
import { randomBytes } from "node:crypto";
import { HANDOFF_SECONDS, Handoffs } from "../dataplane/handoffs.ts";
import type { OwnerAgreement } from "../l2/agreement.ts";
import type { AgreementEvent } from "../l2/event.ts";
import { rendezvousWeight } from "../l2/rendezvous.ts";
import { formatIpAddress, parseIpAddress } from "../net/ip-address.ts";
import { formatMac, type Mac } from "../net/mac.ts";
import { ADDRESS_WORDS, storeAddress } from "../wire/raw.ts";
import type { AddressClaim } from "../wire/resolution.ts";
import { monotonic, wholeSeconds } from "../xdp/wait.ts";
import { AnnouncementBurst } from "./announcement-burst.ts";
import type { AnnouncedAddress, AnnouncerEvent, AnnouncerSetup, AnnouncerSpec } from "./announcer-message.ts";
import { AnswerMaps } from "./answer-maps.ts";
import { ConflictJudge } from "./conflict-judge.ts";
import { Heart, type OwnEffect } from "./heart.ts";
import type { HeartbeatSockets } from "./heartbeat-sockets.ts";
import type { LinkVoice } from "./link-voice.ts";
import { Links } from "./links.ts";
import { SolicitedGroups } from "./solicited-groups.ts";
import { WireProof } from "./wire-proof.ts";

const ABILITY_MILLISECONDS = 1000;
/** A VIP that others don't see is announced anew no more often than this. */
const UNSEEN_MILLISECONDS = 5000;

export class AnnouncingNode {
  readonly links: Links;
  readonly maps: AnswerMaps;
  addresses: ReadonlyMap<string, AnnouncedAddress> = new Map();
  announcementsSent = 0;
  readonly #heart: Heart;
  readonly #setup: AnnouncerSetup;
  readonly #tell: (event: AnnouncerEvent) => void;
  readonly #groups = new SolicitedGroups();
  readonly #burst = new AnnouncementBurst();
  readonly #proof = new WireProof();
  readonly #conflicts = new ConflictJudge();
  readonly #complaints = new Map<string, number>();
  readonly #known = new Set<string>();
  readonly #handoffs: Handoffs;
  /** Where addresses came from, while connections are sent back there: also when they have since been given away. */
  readonly #taken = new Map<string, string>();
  readonly #clock = new Float64Array(1);
  #nodes: AnnouncerSpec["nodes"] = {};
  #unseen: readonly string[] = [];
  #ability = "";
  /** Links tell when they change; what only time changes is looked at now and then. */
  #nextAbility = 0;
  #listeners = new Set<(interfaceName: string, claim: AddressClaim) => void>();

  constructor(setup: AnnouncerSetup, tell: (event: AnnouncerEvent) => void) {
    this.#setup = setup;
    this.#tell = tell;
    this.links = new Links(setup.ports, (event) => {
      this.#tell(event);
      this.#updateAbility();
    });
    const { node, timing, key, port } = setup;
    this.#heart = new Heart(
      { node, session: randomBytes(6).readUIntBE(0, 6), timing, key, port },
      {
        addressOf: (other) => this.#nodes[other]?.[0],
        carryOut: (effects) => this.#carryOut(effects),
        tick: () => this.#tick(),
        next: () => this.#burst.next,
        restsUntil: (now) => Math.min(this.#nextAbility, this.links.next(now), this.#proof.next),
        watched: this.links.descriptors,
      },
    );
    this.#handoffs = new Handoffs(setup.handoffs);
    this.maps = new AnswerMaps(setup.arpMapFd, setup.ndpMapFd);
  }

  get agreement(): OwnerAgreement {
    return this.#heart.agreement;
  }

  get sockets(): HeartbeatSockets | null {
    return this.#heart.sockets;
  }

  /** @throws in words where the port of the heartbeats is taken. */
  start(): void {
    this.#heart.start();
  }

  apply({ addresses, nodes }: AnnouncerSpec): void {
    this.#nodes = nodes;
    // Without a secret nothing can be agreed, so only what nobody else may own is answered for.
    const agreed = addresses.filter(({ candidates }) => this.sockets !== null || candidates.length === 1);
    this.addresses = new Map(agreed.map((one) => [one.address, one]));
    const own = agreed.filter(({ candidates }) => candidates.some(({ node }) => node === this.#setup.node));
    const members = new Set(own.flatMap(({ candidates }) => candidates.map(({ node }) => node)));
    const vips = agreed.map(({ address, candidates }) => {
      const best = Math.max(...candidates.map(({ score }) => score));
      const preferred = candidates.filter(({ score }) => score === best).map(({ node }) => node);
      const names = candidates.map(({ node }) => node);
      return { vip: address, candidates: names, preferred: preferred.length < names.length ? preferred : [] };
    });
    this.#updateAbility();
    this.step({ type: "plan", members: [...members], vips });
    for (const vip of this.agreement.claims.keys()) this.#answer(vip);
  }

  step(event: AgreementEvent): void {
    this.#heart.step(event);
  }

  /** So that what is known of the members is of now. */
  catchUp(): void {
    this.#heart.catchUp();
  }

  /** Takes what others have said on the links since the last look. */
  hearLinks(now: number): void {
    this.links.listen(now, (voice, claim) => this.#hearLink(voice, claim));
  }

  /** Every address that somebody says to have, on whatever interface. @returns how to stop listening. */
  onClaim(listener: (interfaceName: string, claim: AddressClaim) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The node that answers with a MAC, where one is known. */
  nodeOf(mac: number): string | null {
    for (const member of this.agreement.roll.members.values()) if (member.macs.includes(mac)) return member.name;
    return null;
  }

  /** The interfaces on which this node would answer for an address now. */
  usable(vip: string): readonly LinkVoice[] {
    const own = this.addresses.get(vip)?.candidates.find(({ node }) => node === this.#setup.node);
    return own === undefined
      ? []
      : this.links.voices.filter(({ port, carrier }) => carrier && own.interfaces.includes(port.name));
  }

  close(): void {
    this.#heart.close();
    this.maps.close();
    this.#groups.close();
    this.links.close();
  }

  #carryOut(effects: readonly OwnEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "silence") {
        this.#silence(effect.vip);
        this.#tell({ type: "silent", address: effect.vip, because: effect.because });
        continue;
      }
      const { vip: address, cause, previous, silentMilliseconds } = effect;
      if (cause === "handover" && previous !== null) this.#takeConnections(address, previous);
      this.#answer(address);
      this.#burst.begin(address, performance.now());
      this.#proof.forget(address);
      this.#tell({ type: "answers", address, cause, previous, silentMilliseconds });
    }
    if (effects.some(({ type }) => type === "answer")) this.#speak();
    if (this.#taken.size > 0) this.#dropReturned();
  }

  /** Before the first frame of a connection that the old owner has can come here. */
  #takeConnections(vip: string, previous: string): void {
    const [mac] = this.agreement.roll.members.get(previous)?.macs ?? [];
    if (mac === undefined) return;
    monotonic(this.#clock);
    this.#handoffs.set(rawAddress(vip), mac as Mac, wholeSeconds(this.#clock) + HANDOFF_SECONDS);
    this.#taken.set(vip, previous);
  }

  #answer(vip: string): void {
    const before = this.maps.get(vip);
    const voices = this.usable(vip);
    this.maps.set(
      vip,
      voices.map(({ port }) => port.interfaceIndex),
    );
    const address = parseIpAddress(vip)!;
    if (address.family !== 6) return;
    for (const { port } of this.links.voices) {
      const was = before.includes(port.interfaceIndex);
      const is = voices.some((voice) => voice.port === port);
      if (is && !was) this.#groups.join(address, port.name);
      if (was && !is) this.#groups.leave(address, port.name);
    }
  }

  #silence(vip: string): void {
    const address = parseIpAddress(vip)!;
    for (const index of this.maps.get(vip)) {
      const voice = this.links.voices.find(({ port }) => port.interfaceIndex === index);
      if (address.family === 6 && voice !== undefined) this.#groups.leave(address, voice.port.name);
    }
    this.maps.set(vip, []);
    this.#burst.end(vip);
  }

  /** An address that is back where it came from: who has it now would get its own frames back. */
  #dropReturned(): void {
    for (const [vip, previous] of this.#taken) {
      if (this.agreement.ownerOf(vip)?.node === previous) this.#dropHandoff(vip);
    }
  }

  #dropHandoff(vip: string): void {
    this.#handoffs.remove(rawAddress(vip));
    this.#taken.delete(vip);
  }

  #tick(): void {
    // Before the time is told: what has come meanwhile is a sign of life, and came in time if the kernel says so.
    this.#heart.hear();
    const now = performance.now();
    this.hearLinks(now);
    if (now >= this.#nextAbility) this.#updateAbility();
    this.step({ type: "tick" });
    this.#speak();
    this.#prove(now);
    this.#complain(now);
    for (const { name, alive } of this.agreement.roll.members.values()) {
      if (alive === this.#known.has(name)) continue;
      if (alive) this.#known.add(name);
      else this.#known.delete(name);
      // Its connections are gone with it, or another process of it has them no more.
      for (const [vip, previous] of this.#taken) {
        if (previous === name) this.#dropHandoff(vip);
      }
      this.#tell({ type: "member", member: name, alive });
    }
  }

  #hearLink(voice: LinkVoice, claim: AddressClaim): void {
    for (const listener of this.#listeners) listener(voice.port.name, claim);
    const vip = formatIpAddress(claim.address);
    const address = this.addresses.get(vip);
    if (address === undefined) return;
    if (!this.agreement.claims.has(vip)) {
      const owner = this.agreement.ownerOf(vip)?.node;
      if (claim.isAnswer && owner !== undefined && this.nodeOf(claim.mac) === owner) this.#proof.seen(vip);
      return;
    }
    const node = this.nodeOf(claim.mac);
    // Of a node that we hear, the agreement says who gives up; its last frames may still be under way.
    if (node !== null && this.agreement.roll.members.get(node)!.alive) return;
    const isMember = node !== null;
    const outcome = this.#conflicts.judge(
      vip,
      { ours: voice.mac ?? 0, theirs: claim.mac, isMember },
      performance.now(),
    );
    if (outcome === null) return;
    if (outcome === "defended") this.announcementsSent += voice.announce(claim.address);
    this.#tell({ type: "conflict", address: vip, mac: formatMac(claim.mac), outcome });
    this.#updateAbility();
  }

  /** What is due of the announcements. The routers are asked as well, in the name of the address: that they all note. */
  #speak(): void {
    for (const vip of this.#burst.take(performance.now())) {
      const address = parseIpAddress(vip)!;
      for (const voice of this.usable(vip)) {
        this.announcementsSent += voice.announce(address);
        for (const gateway of this.links.gatewaysOf(voice, address.family)) voice.ask(gateway, address);
      }
    }
  }

  #prove(now: number): void {
    const mine = () => [...this.addresses.keys()].filter((vip) => this.#isProver(vip));
    for (const vip of this.#proof.due(mine, now)) {
      for (const voice of this.usable(vip)) voice.ask(parseIpAddress(vip)!, null);
    }
    const { unseen } = this.#proof;
    if (unseen.join() === this.#unseen.join()) return;
    this.#unseen = unseen;
    this.step({ type: "unseen", vips: unseen });
  }

  /** Of all living candidates but the owner, the one that is the most meant for the address. */
  #isProver(vip: string): boolean {
    const owner = this.agreement.ownerOf(vip);
    if (owner === null || owner.state !== "owned" || owner.node === this.#setup.node) return false;
    const { members } = this.agreement.roll;
    const others = this.addresses
      .get(vip)!
      .candidates.map(({ node }) => node)
      .filter((node) => node !== owner.node && (node === this.#setup.node || members.get(node)?.alive));
    const weight = (node: string) => rendezvousWeight(vip, node);
    return others.toSorted((a, b) => weight(b) - weight(a))[0] === this.#setup.node && this.usable(vip).length > 0;
  }

  /** What others asked us for in vain is written and announced anew. */
  #complain(now: number): void {
    for (const { alive, unseen, name } of this.agreement.roll.members.values()) {
      if (!alive) continue;
      for (const vip of unseen) {
        if (!this.agreement.claims.has(vip) || now < (this.#complaints.get(vip) ?? 0)) continue;
        this.#complaints.set(vip, now + UNSEEN_MILLISECONDS);
        this.#answer(vip);
        this.#burst.begin(vip, now);
        this.#tell({ type: "unseen", address: vip, by: name });
      }
    }
  }

  /** Tells the agreement what this node can't own or not well, when that has changed. */
  #updateAbility(): void {
    const now = performance.now();
    this.#nextAbility = now + ABILITY_MILLISECONDS;
    const refused: string[] = [];
    const poor: string[] = [];
    for (const [vip, { candidates }] of this.addresses) {
      if (!candidates.some(({ node }) => node === this.#setup.node)) continue;
      const usable = this.usable(vip);
      if (usable.length === 0 || this.#conflicts.hasYielded(vip, now)) refused.push(vip);
      else if (usable.every((voice) => this.links.isGatewaySilent(voice, parseIpAddress(vip)!.family, now)))
        poor.push(vip);
    }
    const macs = this.links.voices.flatMap(({ mac }) => mac ?? []);
    const ability = JSON.stringify([refused, poor, macs, this.links.voices.map(({ carrier }) => carrier)]);
    if (ability === this.#ability) return;
    this.#ability = ability;
    this.step({ type: "ability", refused, poor, macs });
    for (const vip of this.agreement.claims.keys()) this.#answer(vip);
  }
}

function rawAddress(vip: string): Int32Array {
  const words = new Int32Array(ADDRESS_WORDS);
  storeAddress(words, 0, parseIpAddress(vip)!);
  return words;
}
