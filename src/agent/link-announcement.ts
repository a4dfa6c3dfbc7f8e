/**
 * Addresses on links, for the running gateway: what may be answered for goes to the announcer's thread, and what happens
 * there becomes log lines and metrics. The thread starts with the first address; one that fails is started anew with what
 * was last in force.
 */
import type { Logger } from "pino";
import type {
  AnnouncerEvent,
  AnnouncerSetup,
  AnnouncerSpec,
  L2Status,
  WhoAnswer,
} from "../announcer/announcer-message.ts";
import { LinkAnnouncer } from "../announcer/link-announcer.ts";
import type { L2Address } from "../control/l2-addresses.ts";
import type { ClusterNode } from "../intent/node.ts";
import type { OwnedService } from "../kubernetes/link-reporter.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import type { Datapath } from "./datapath.ts";
import { L2Metrics } from "./l2-metrics.ts";
import type { ServiceMoves } from "./service-moves.ts";

const NO_STATUS: L2Status = {
  ...{ owners: [], members: [], links: [] },
  ...{ announcementsSent: 0, heartbeatsSent: 0, heartbeatsReceived: 0, heartbeatsRefused: 0, heartbeatsUnsent: 0 },
};
const NOTHING: AnnouncerSpec = { addresses: [], nodes: {} };
/** An address that had traffic within this time is not moved only to balance. */
const BUSY_MILLISECONDS = 60_000;
const BUSY_LOOK_MILLISECONDS = 2000;
const RESTART_MILLISECONDS = 1000;
/** After a drain, until neighbours have seen the new owners' announcements; frames are still served. */
const LINGER_MILLISECONDS = 1000;

export class LinkAnnouncement {
  readonly metrics: L2Metrics;
  readonly #moves: ServiceMoves;
  readonly #setup: AnnouncerSetup;
  readonly #datapath: Datapath;
  readonly #log: Logger;
  readonly #requests = new Map<string, { count: number; changedAt: number }>();
  readonly #busyTimer: NodeJS.Timeout;
  #announcer: LinkAnnouncer | null = null;
  #spec: AnnouncerSpec = NOTHING;
  #announced: readonly L2Address[] = [];
  #nodes: readonly ClusterNode[] = [];
  #draining = false;
  #isRestarting = false;
  #closed = false;

  constructor(setup: AnnouncerSetup, datapath: Datapath, moves: ServiceMoves, log: Logger) {
    this.#setup = setup;
    this.#moves = moves;
    this.#datapath = datapath;
    this.#log = log;
    this.metrics = new L2Metrics(() => this.#served());
    this.#busyTimer = setInterval(() => this.#lookForTraffic(), BUSY_LOOK_MILLISECONDS).unref();
  }

  /** Stops answering for what `next` has not, before it stops being served. */
  async withdrawBefore(next: readonly L2Address[]): Promise<void> {
    if (next === this.#announced) return;
    const kept = new Set(next.map(({ address }) => address));
    await this.#apply({ ...this.#spec, addresses: this.#spec.addresses.filter(({ address }) => kept.has(address)) });
  }

  async announce(addresses: readonly L2Address[], nodes: readonly ClusterNode[]): Promise<void> {
    // A plan that changed nothing here is the very same value, and ten thousand addresses are long to hand over.
    if (addresses === this.#announced && nodes === this.#nodes) return;
    this.#announced = addresses;
    this.#nodes = nodes;
    const places = nodes.map(({ name, internalAddresses }) => [name, internalAddresses.map(formatIpAddress)] as const);
    const shared = addresses.filter(({ candidates }) => candidates.length > 1);
    if (this.#setup.key === null && shared.length > 0) {
      this.#log.warn(
        { addresses: shared.length },
        "no --cluster-secret, so nodes can't agree on owners: addresses that several may answer for are not answered for",
      );
    }
    await this.#apply({ addresses, nodes: Object.fromEntries(places) });
  }

  async status(): Promise<L2Status> {
    return (await this.#announcer?.status()) ?? NO_STATUS;
  }

  /** Services of which this node answers for an address. */
  async ownedServices(): Promise<OwnedService[]> {
    const { owners } = await this.status();
    const byService = Map.groupBy(
      owners.flatMap(({ services, answersHere }) => services.map((key) => ({ key, answersHere }))),
      ({ key }) => key,
    );
    return [...byService].flatMap(([key, addresses]) => {
      const interfaces = [...new Set(addresses.flatMap(({ answersHere }) => answersHere))].sort();
      const [namespace, name] = key.split("/") as [string, string];
      const isFirst = addresses[0]!.answersHere.length > 0;
      return interfaces.length === 0 ? [] : [{ namespace, name, interfaces, isFirst }];
    });
  }

  who(address: string): Promise<readonly WhoAnswer[]> {
    return this.#require().who(address);
  }

  move(address: string, to: string): Promise<void> {
    return this.#require().move(address, to);
  }

  /** Resolves when others answer. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#announcer?.drain(true);
  }

  async undrain(): Promise<void> {
    this.#draining = false;
    await this.#announcer?.drain(false);
  }

  /** Hands everything over first, and lets what is still under way be served. */
  async stop(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#busyTimer);
    const announcer = this.#announcer;
    if (announcer === null) return;
    const { owners } = await announcer.status();
    const isOwner = owners.some(({ owner }) => owner === this.#setup.node);
    await announcer.drain(true);
    if (isOwner && owners.some(({ candidates }) => candidates.length > 1)) {
      await new Promise((resolve) => setTimeout(resolve, LINGER_MILLISECONDS));
    }
    await announcer.close();
  }

  async #begin(): Promise<void> {
    const announcer = await LinkAnnouncer.start(this.#setup, {
      onEvent: (event) => this.#hear(event),
      onFailure: (error) => this.#restart(error),
    });
    this.#announcer = announcer;
    this.#isRestarting = false;
    await announcer.apply(this.#spec);
    if (this.#draining) await announcer.drain(true);
  }

  #restart(error: Error): void {
    this.#announcer = null;
    if (this.#closed) return;
    this.#isRestarting = true;
    this.#log.error({ err: error }, "the announcer has failed; it is started anew in a second");
    setTimeout(() => {
      if (!this.#closed) this.#begin().catch((cause: Error) => this.#restart(cause));
    }, RESTART_MILLISECONDS).unref();
  }

  async #apply(spec: AnnouncerSpec): Promise<void> {
    this.#spec = spec;
    if (this.#announcer !== null) await this.#announcer.apply(spec);
    else if (spec.addresses.length > 0 && !this.#isRestarting) await this.#begin();
  }

  #require(): LinkAnnouncer {
    if (this.#announcer === null)
      throw new Error("nothing is announced on links here: no policy says so, or it is just being started");
    return this.#announcer;
  }

  #hear(event: AnnouncerEvent): void {
    this.metrics.count(event);
    this.#moves.heard(event, (address) => this.#servicesOf(address), Date.now());
    const { type, ...rest } = event;
    const isTrouble = type === "conflict" || type === "unseen" || (type === "member" && !event.alive);
    this.#log[isTrouble ? "warn" : "info"](rest, SENTENCES[type]);
  }

  #servicesOf(address: string): readonly string[] {
    return this.#spec.addresses.find((one) => one.address === address)?.services ?? [];
  }

  #lookForTraffic(): void {
    if (this.#spec.addresses.length === 0) return;
    const now = performance.now();
    const served = this.#served();
    for (const { address } of this.#spec.addresses) {
      const count = served.get(address) ?? 0;
      const known = this.#requests.get(address);
      if (known === undefined) this.#requests.set(address, { count, changedAt: Number.NEGATIVE_INFINITY });
      else if (known.count !== count) this.#requests.set(address, { count, changedAt: now });
    }
    const busy = [...this.#requests].filter(([, { changedAt }]) => now - changedAt < BUSY_MILLISECONDS);
    this.#announcer?.busy(busy.map(([address]) => address));
  }

  /** Frames that were served, by address, of all its ports. */
  #served(): Map<string, number> {
    const counters = this.#datapath.counters();
    const served = new Map<string, number>();
    for (const [id, vip] of this.#datapath.ids.vips()) {
      const address = formatIpAddress(vip.address);
      const { requestPackets } = this.#datapath.vipCounters(id, counters);
      served.set(address, (served.get(address) ?? 0) + requestPackets);
    }
    return served;
  }
}

const SENTENCES: Readonly<Record<AnnouncerEvent["type"], string>> = {
  answers: "this node answers for the address now",
  silent: "this node no longer answers for the address",
  conflict: "somebody else says on the link that the address is his",
  unseen: "another node asked for the address on the link in vain; it is announced anew",
  link: "a link has changed",
  member: "a node of the agreement has come or gone",
};
