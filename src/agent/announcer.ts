/**
 * What routers are told, over a speaker on a thread of this process or in a process of its own: the node's plan, unless
 * an operator drains the node.
 *
 *     serving --drain--> marked (graceful shutdown, RFC 8326) --after the grace time--> withdrawn --undrain--> serving
 *
 * While marked, routers move new traffic to other nodes and the old still arrives; when withdrawn, nothing new comes, and
 * the flows that are left go on. Sessions stay up all the time. Each call takes effect after those before it.
 */
import type { InstanceSpec, PeerSpec, PeerStatus, SpeakerSpec } from "../bgp/speaker-spec.ts";
import { RemoteSpeaker } from "../speaker/remote-speaker.ts";
import { Speaker } from "../speaker/speaker.ts";
import type { Explanation } from "../speaker/speaker-core.ts";

/** How long a speaker of its own may take to start: containers of one pod start in no order. */
const SPEAKER_START_MILLISECONDS = 30_000;

const NO_SESSIONS: SpeakerSpec = { instances: [] };

const DRAINED = "this node is drained, so its routes are withdrawn: `sluice undrain` takes it back";

export type DrainState = "serving" | "marked" | "withdrawn";

export interface DrainProgress {
  readonly state: DrainState;
  /** Until the routes are withdrawn; 0 unless marked. */
  readonly secondsLeft: number;
  /** Routes that routers still have of us, over all sessions. */
  readonly routesAnnounced: number;
  readonly sessions: number;
}

/** What becomes of the sessions when the gateway ends. */
export const GOODBYES = ["cease", "graceful"] as const;
export type Goodbye = (typeof GOODBYES)[number];

export class Announcer {
  readonly speaker: Speaker | RemoteSpeaker;
  readonly #isRemote: boolean;
  #wanted: SpeakerSpec = NO_SESSIONS;
  #announced: SpeakerSpec | null = null;
  /** Prefixes of what stays on the node while it is drained: its pods, whom other nodes send to. */
  #staying: ReadonlySet<string> = new Set();
  #state: DrainState = "serving";
  #grace: { readonly timer: NodeJS.Timeout; readonly endsAt: number } | null = null;
  #turn: Promise<void> = Promise.resolve();

  /** @param speakerSocket of a speaker in a process of its own; `null` starts one on a thread. */
  constructor(speakerSocket: string | null) {
    this.#isRemote = speakerSocket !== null;
    // Routers may still have our routes: they keep them until we have told them all again (RFC 4724).
    this.speaker =
      speakerSocket === null
        ? new Speaker({ restarting: true })
        : new RemoteSpeaker(speakerSocket, SPEAKER_START_MILLISECONDS);
  }

  /**
   * Takes back what `next` has not, before it stops being served. At the start there is nothing to take back, and a
   * session without routes would tell routers to forget ours.
   */
  async withdrawBefore(next: SpeakerSpec): Promise<void> {
    if (this.#announced !== null && next !== this.#announced) await this.#declare(onlyAnnounced(next, this.#announced));
  }

  /**
   * The very same declaration as the last is not told again.
   * @param staying prefixes that a drain leaves as they are.
   */
  async announce(next: SpeakerSpec, staying: readonly string[] = []): Promise<void> {
    if (next === this.#announced) return;
    this.#staying = new Set(staying);
    await this.#declare(next);
    this.#announced = next;
  }

  async drain(graceSeconds: number): Promise<void> {
    if (this.#state !== "serving") return;
    this.#state = "marked";
    const timer = setTimeout(() => {
      this.#state = "withdrawn";
      this.#grace = null;
      // A speaker that is away is given the declaration when it is back.
      this.#declare(this.#wanted).catch(() => {});
    }, graceSeconds * 1000);
    this.#grace = { timer, endsAt: performance.now() + graceSeconds * 1000 };
    await this.#declare(this.#wanted);
  }

  async undrain(): Promise<void> {
    clearTimeout(this.#grace?.timer);
    this.#grace = null;
    this.#state = "serving";
    await this.#declare(this.#wanted);
  }

  /** Why a router has a prefix or has it not; a drain is a reason that the speaker does not know. */
  async explain(prefix: string, peerName: string | null = null): Promise<Explanation[]> {
    const found = await this.speaker.explain(prefix, peerName);
    const isWanted = this.#wanted.instances.some(({ peers }) =>
      peers.some(({ routes }) => routes.some((route) => route.prefix === prefix)),
    );
    return this.#state === "withdrawn" && isWanted && !this.#staying.has(prefix)
      ? found.map(({ peer }) => ({ peer, words: [DRAINED] }))
      : found;
  }

  get drainState(): DrainState {
    return this.#state;
  }

  async progress(): Promise<DrainProgress> {
    const peers = await this.speaker.status();
    const routes = peers.reduce((sum, { routesAdvertised }) => sum + routesAdvertised, 0);
    const left = this.#grace === null ? 0 : Math.max(0, this.#grace.endsAt - performance.now());
    return {
      state: this.#state,
      secondsLeft: Math.ceil(left / 1000),
      routesAnnounced: this.#state === "withdrawn" ? Math.max(0, routes - this.#stayingRoutes(peers)) : routes,
      sessions: peers.filter(({ state }) => state === "Established").length,
    };
  }

  /** A speaker in a process of its own outlives us, and so do its sessions. */
  async stop(goodbye: Goodbye): Promise<void> {
    clearTimeout(this.#grace?.timer);
    await this.#turn;
    const cease = goodbye === "cease" ? true : ("unless-graceful" as const);
    await this.speaker.stop({ cease: this.#isRemote ? false : cease });
  }

  /** How many of the routes that routers have are of what stays. */
  #stayingRoutes(peers: readonly PeerStatus[]): number {
    const up = new Set(peers.filter(({ state }) => state === "Established").map(({ name }) => name));
    const wanted = this.#wanted.instances.flatMap((instance) => instance.peers).filter(({ name }) => up.has(name));
    return wanted.flatMap(({ routes }) => routes).filter(({ prefix }) => this.#staying.has(prefix)).length;
  }

  #declare(spec: SpeakerSpec): Promise<void> {
    this.#wanted = spec;
    const applied = this.#turn.then(() => this.speaker.apply(drained(this.#wanted, this.#state, this.#staying)));
    this.#turn = applied.catch(() => {});
    return applied;
  }
}

/**
 * The declaration as it is while the node is drained. Routes to the node's own pods stay: the pods are still there, and
 * the nodes that take over send to them.
 */
export function drained(spec: SpeakerSpec, state: DrainState, staying: ReadonlySet<string>): SpeakerSpec {
  if (state === "serving") return spec;
  const peerOf = (peer: PeerSpec): PeerSpec =>
    state === "marked"
      ? { ...peer, gracefulShutdown: true }
      : { ...peer, routes: peer.routes.filter(({ prefix }) => staying.has(prefix)) };
  return {
    instances: spec.instances.map((instance) => ({ ...instance, peers: instance.peers.map(peerOf) })),
  };
}

/** The sessions of `next` with only those routes that `now` has too: what a change withdraws is gone, nothing is new. */
function onlyAnnounced(next: SpeakerSpec, now: SpeakerSpec): SpeakerSpec {
  const keyOf = (instance: InstanceSpec, peer: PeerSpec) => `${instance.localAsn} ${peer.name}`;
  const announced = new Map(
    now.instances.flatMap((instance) =>
      instance.peers.map((peer) => [keyOf(instance, peer), new Set(peer.routes.map(({ prefix }) => prefix))] as const),
    ),
  );
  return {
    instances: next.instances.map((instance) => ({
      ...instance,
      peers: instance.peers.map((peer) => ({
        ...peer,
        routes: peer.routes.filter(({ prefix }) => announced.get(keyOf(instance, peer))?.has(prefix) ?? false),
      })),
    })),
  };
}
