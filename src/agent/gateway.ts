/**
 * The running gateway: configuration in, plan, then carried out in the order that loses nothing.
 *
 * Withdraw first, announce last: a route that is no longer wanted is withdrawn before its address stops being served,
 * and a new one is announced after every worker serves it. Changes are carried out one after another; while one is under
 * way, only the newest of those that come in waits.
 */
import type { Logger } from "pino";
import type { PeerStatus } from "../bgp/speaker-spec.ts";
import { HeldFile } from "../config/held-file.ts";
import type { LoadedManifests } from "../config/manifest-state.ts";
import { type ConfigWatch, watchConfig } from "../config/watch-config.ts";
import { explainService, type ServiceExplanation } from "../control/explain-service.ts";
import { healthChecksOnNode } from "../control/health-checks.ts";
import { withHeldAddresses } from "../control/held-addresses.ts";
import { withLiveOwners } from "../control/live-owners.ts";
import { withLiveSessions } from "../control/live-sessions.ts";
import { NodePlanner } from "../control/node-plan.ts";
import { OwnInterfaces } from "../control/own-interfaces.ts";
import { withParts } from "../control/parts.ts";
import type { Plan } from "../control/plan.ts";
import { type ForwardingSpec, NO_DSR } from "../dataplane/forwarding-spec.ts";
import { EMPTY_INTENT, type Intent } from "../intent/intent.ts";
import type { ClusterNode } from "../intent/node.ts";
import type { Problem } from "../intent/problem.ts";
import type { ClusterMember, ClusterStatus } from "../kubernetes/cluster-member.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import type { Speaker } from "../speaker/speaker.ts";
import { PinFolder } from "../xdp/pin-folder.ts";
import { Announcer, drained } from "./announcer.ts";
import { loadHashKey, loadHeartbeatKey } from "./cluster-secret.ts";
import { ConvergenceMetrics } from "./convergence-metrics.ts";
import { Datapath } from "./datapath.ts";
import type { TraceListener } from "./frame-trace.ts";
import { HealthCheckPorts } from "./health-check-ports.ts";
import { withoutHostPorts } from "./host-ports.ts";
import { Joining } from "./joining.ts";
import { LinkAnnouncement } from "./link-announcement.ts";
import type { PlanTrial, TrialMode } from "./plan-trial.ts";
import { PlanTrials } from "./plan-trials.ts";
import { PressureWatch } from "./pressure-watch.ts";
import { ProblemLog, unknownNode } from "./problem-log.ts";
import { Retry } from "./retry.ts";
import type { RunOptions } from "./run-options.ts";
import { ServiceMoves } from "./service-moves.ts";

export class Gateway {
  readonly options: RunOptions;
  readonly datapath: Datapath;
  readonly startedAt = Date.now();
  readonly convergence = new ConvergenceMetrics();
  readonly moves: ServiceMoves;
  readonly #trials = new PlanTrials();
  readonly #log: Logger;
  readonly #pressure: PressureWatch;
  readonly announcer: Announcer;
  #links: LinkAnnouncement | null = null;
  readonly #planner: NodePlanner;
  readonly #joining: Joining;
  readonly #interfaces: OwnInterfaces;
  readonly #heldFile: HeldFile | null;
  readonly #healthChecks: HealthCheckPorts | null;
  readonly #problems: ProblemLog;
  #watch: ConfigWatch | null = null;
  #cluster: ClusterMember | null = null;
  #plan: Plan | null = null;
  #intent: Intent = EMPTY_INTENT;
  #files: readonly string[] = [];
  /** In force, or on its way. */
  #loaded: LoadedManifests | null = null;
  #next: LoadedManifests | null = null;
  /** `performance.now()` when the oldest change that is not in force yet was known. */
  #takenAt: number | null = null;
  #applying: Promise<void> | null = null;
  readonly #retry = new Retry();

  static async start(options: RunOptions, log: Logger): Promise<Gateway> {
    if (options.clusterSecret === null) {
      log.warn(
        "no --cluster-secret: the hash key is random, so other nodes would pick other backends for the same flow",
      );
    }
    const pins = PinFolder.of(options.node, options.uplinks);
    const hasRoutes = pins?.exists() === true && !pins.takeDrained();
    const datapath = await Datapath.start(options, loadHashKey(options.clusterSecret), log);
    const gateway = new Gateway(options, datapath, hasRoutes, log);
    try {
      await gateway.#begin();
    } catch (error) {
      await gateway.stop();
      throw error;
    }
    return gateway;
  }

  /** @param hasRoutes whether routers may have kept those of the process before this one. */
  private constructor(options: RunOptions, datapath: Datapath, hasRoutes: boolean, log: Logger) {
    this.options = options;
    this.datapath = datapath;
    this.#log = log;
    this.#problems = new ProblemLog(log);
    this.moves = new ServiceMoves(options.node);
    this.#pressure = new PressureWatch(() => datapath.counters(), log);
    this.announcer = new Announcer(options.speakerSocket ?? null);
    this.#planner = new NodePlanner(options.node);
    this.#joining = new Joining(options.node, !hasRoutes, () => this.#takeAgain());
    this.#interfaces = new OwnInterfaces(options.node, options.uplinks);
    this.#healthChecks = options.healthCheckPorts ? new HealthCheckPorts(log) : null;
    this.#heldFile = options.heldFile ? new HeldFile(options.heldFile) : null;
  }

  /** What is wrong with the configuration, and where. */
  get problems(): readonly Problem[] {
    return this.#problems.problems;
  }

  get files(): readonly string[] {
    return this.#files;
  }

  /** What all nodes are to do, as this one sees it; `null` before the first plan. */
  get plan(): Plan | null {
    return this.#plan;
  }

  /** Why a Service is where it is; `null` for one that does not exist. */
  async explainService(key: string): Promise<ServiceExplanation | null> {
    if (this.#plan === null) return null;
    const { owners } = await this.links.status();
    const live = Object.fromEntries(owners.map(({ address, owner }) => [address, owner]));
    const explanation = explainService(this.#intent, withLiveOwners(this.#plan, live), key);
    return explanation === null ? null : withLiveSessions(explanation, this.options.node, await this.peers());
  }

  /** What manifests would change; nothing changes by asking. */
  tryPlan(text: string, mode: TrialMode): Promise<PlanTrial> {
    if (this.#loaded === null || this.#plan === null) throw new Error("no configuration is in force yet");
    const held = Object.entries(this.#plan.services).map(([name, { ingress, pool }]) => [name, { ingress, pool }]);
    return this.#trials.try({
      ...{ text, mode, sources: this.#loaded.sources, held: Object.fromEntries(held), parts: this.options.parts },
      givesAddresses: this.options.kubernetes?.ipam ?? true,
    });
  }

  /** The machines of the cluster. */
  get nodes(): readonly ClusterNode[] {
    return this.#intent.nodes;
  }

  /** `null` without a cluster. */
  get cluster(): ClusterStatus | null {
    return this.#cluster?.status ?? null;
  }

  peers(): Promise<PeerStatus[]> {
    return this.announcer.speaker.status();
  }

  /** For those who look: what it does is decided here alone. */
  get speaker(): Pick<Speaker, "status" | "advertised" | "received" | "explain" | "capture" | "onEvent"> {
    const { speaker } = this.announcer;
    return {
      status: () => speaker.status(),
      advertised: (peer) => speaker.advertised(peer),
      received: (peer, most) => speaker.received(peer, most),
      explain: (prefix, peer) => this.announcer.explain(prefix, peer),
      capture: (peer) => speaker.capture(peer),
      onEvent: (listener) => speaker.onEvent(listener),
    };
  }

  /** Addresses on links, likewise. */
  get links(): LinkAnnouncement {
    if (this.#links === null) throw new Error("the gateway is still starting");
    return this.#links;
  }

  /** Frames as they happen, likewise. */
  get frames(): { readonly ports: readonly string[]; listen(listener: TraceListener): () => void } {
    const { trace, ports } = this.datapath;
    return { ports: ports.map(({ name }) => name), listen: (listener) => trace.listen(listener) };
  }

  /** Moves traffic away from this node. */
  async drain(graceSeconds: number): Promise<void> {
    this.#log.info({ graceSeconds }, "draining: traffic moves away from this node");
    await Promise.all([this.announcer.drain(graceSeconds), this.links.drain()]);
  }

  async undrain(): Promise<void> {
    if (this.announcer.drainState === "withdrawn") this.datapath.endMovedFlows();
    await Promise.all([this.announcer.undrain(), this.links.undrain()]);
    this.#log.info("no longer draining");
  }

  /** Closes the sessions first, so that routers look elsewhere, then the datapath. */
  async stop(): Promise<void> {
    this.#joining.close();
    this.#healthChecks?.close();
    this.#watch?.close();
    await this.#cluster?.close();
    this.#next = null;
    this.#retry.cancel();
    await this.#applying;
    this.#retry.cancel();
    this.#pressure.close();
    await this.#links?.stop();
    await this.announcer.stop(this.options.goodbye ?? "cease");
    await this.datapath.stop();
    const pins = PinFolder.of(this.options.node, this.options.uplinks);
    if (pins?.exists() && this.announcer.drainState === "withdrawn") pins.noteDrained();
  }

  async #begin(): Promise<void> {
    this.datapath.policies.onChange(() => this.#takeAgain());
    const { speaker } = this.announcer;
    await speaker.start();
    speaker.onEvent(({ name, from, to, words }) => {
      this.#log.info({ peer: name, from, to, ...(words === null ? {} : { why: words }) }, "BGP session");
    });
    const { node, clusterSecret, l2Port, l2Timing } = this.options;
    const setup = { node, key: loadHeartbeatKey(clusterSecret), port: l2Port, timing: l2Timing };
    this.#links = new LinkAnnouncement(
      { ...setup, ...this.datapath.doorToLinks },
      this.datapath,
      this.moves,
      this.#log,
    );
    if (this.options.kubernetes !== null) {
      // The client is large, and those who run on files have no use for it.
      const kubernetes = await import("../kubernetes/cluster-member.ts");
      this.#cluster = new kubernetes.ClusterMember(
        this.options.kubernetes,
        this.#log,
        (loaded) => this.#take({ ...loaded, files: ["the cluster"] }),
        () => this.peers(),
        () => this.links.ownedServices(),
      );
      return;
    }
    this.#watch = await watchConfig(this.options.paths, (loaded) => this.#take(loaded));
    this.#take(this.#watch.current);
    await this.#applying;
  }

  #takeAgain(): void {
    if (this.#loaded !== null) this.#take(this.#next ?? this.#loaded);
  }

  #take(loaded: LoadedManifests): void {
    this.#retry.cancel();
    this.#next = loaded;
    this.#takenAt ??= performance.now();
    this.#applying ??= this.#applyAll().finally(() => {
      this.#applying = null;
    });
  }

  async #applyAll(): Promise<void> {
    for (let loaded = this.#next; loaded !== null; loaded = this.#next) {
      this.#next = null;
      const takenAt = this.#takenAt!;
      this.#takenAt = null;
      try {
        await this.#apply(loaded);
        this.#retry.succeeded();
        this.convergence.inForce(takenAt);
      } catch (error) {
        this.convergence.refused();
        this.#log.error({ err: error }, "the change could not be carried out yet; the state before it stays");
        // Nobody may change anything for days: what stood in the way may be gone in a second.
        this.#takenAt ??= takenAt;
        if (this.#next === null) this.#retry.later(() => this.#take(loaded));
      }
    }
  }

  async #apply(loaded: LoadedManifests): Promise<void> {
    const inCluster = this.options.kubernetes !== null;
    const isFirst = this.#plan === null;
    // In a cluster the API server keeps the addresses, and whoever leads gives them.
    const before = isFirst ? this.#heldFile?.read() : this.#plan!.services;
    const held = before === undefined || inCluster ? loaded.intent : withHeldAddresses(loaded.intent, before);
    const wanted = this.#interfaces.within(withParts(held, this.options.parts));
    const policies = await this.datapath.policies.load(wanted);
    const { intent, problems } = await this.datapath.policies.shape(wanted, this.datapath.ids);
    const nodeName = inCluster ? this.options.node : null;
    const { planned, own } = this.#planner.plan(intent, { nodeName, givesAddresses: !inCluster });
    // Before anybody is told of them.
    this.#heldFile?.write(planned.services);
    this.#loaded = loaded;
    this.#files = loaded.files;
    const isKnown = loaded.intent.nodes.some(({ name }) => name === this.options.node);
    const found = [...loaded.problems, ...policies.problems, ...problems, ...planned.problems];
    this.#problems.tell(isKnown ? found : [...found, unknownNode(this.options.node)]);

    await this.announcer.withdrawBefore(own.bgp);
    await this.links.withdrawBefore(own.l2);
    const forwarding = this.options.parts.forwarding ? own.forwarding : nothingOf(own.forwarding);
    await this.datapath.apply({ ...forwarding, sourcePorts: withoutHostPorts(forwarding.sourcePorts) }, policies);
    const ofPods = podPrefixes(intent, this.options.node);
    const waits = this.#joining.waits(intent.gateways);
    await this.announcer.announce(waits ? drained(own.bgp, "withdrawn", new Set(ofPods)) : own.bgp, ofPods);
    await this.links.announce(own.l2, intent.nodes);
    this.#healthChecks?.apply(healthChecksOnNode(intent, this.options.node));
    this.moves.planned(this.#plan, planned, Date.now());
    this.#plan = planned;
    this.#intent = intent;
    this.#cluster?.planned(planned, intent.settings);
    this.#log.info(
      {
        epoch: this.datapath.epoch,
        vips: own.forwarding.vips.length,
        addresses: own.forwarding.owned.length,
        sessions: own.bgp.instances.flatMap(({ peers }) => peers).length,
        ...(waits ? { routes: "wait until the other nodes know that this gateway is back" } : {}),
      },
      "configuration in force",
    );
  }
}

/** What is forwarded where somebody else forwards: every packet goes to the kernel untouched. */
function nothingOf(spec: ForwardingSpec): ForwardingSpec {
  return { ...spec, vips: [], owned: [], dsr: NO_DSR };
}

/** As routes name them. */
function podPrefixes(intent: Intent, nodeName: string): string[] {
  const node = intent.nodes.find(({ name }) => name === nodeName);
  return (node?.podCidrs ?? []).map(
    ({ range, prefixLength }) => `${formatIpAddress({ family: range.family, value: range.first })}/${prefixLength}`,
  );
}
