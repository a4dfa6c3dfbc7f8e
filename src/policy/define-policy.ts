/**
 * What a policy module is made of: all that its author needs to know. The package exports this file as `sluice/policy`.
 *
 *     export default definePolicy({
 *       version: "1",
 *       options: { type: "object", required: ["clients"], properties: { clients: { type: "array", items: { type: "string" } } } },
 *       create({ options, state }) {
 *         const denied = state.prefixes("denied", { prefixes: options.clients });
 *         return { onNewFlow: (flow) => (denied.has(flow.client) ? flow.deny("on the list") : Continue) };
 *       },
 *     });
 *
 * `create` runs once in every thread that calls hooks, and once beforehand where a mistake does no harm. `onNewFlow` runs for the
 * first frame of a flow only, never for each packet: its answer is kept with the flow. It is synchronous and gets a view
 * that is used again for the next flow: whoever wants to keep something copies it. It should not allocate.
 *
 * A module is trusted code: it runs inside the gateway with all its rights. It must not block, wait or open sockets.
 */
import type { FlowEndReason } from "../dataplane/flow-end.ts";
import type { ClientTable } from "./client-table.ts";
import type { Counter } from "./counter.ts";
import type { PrefixSet } from "./prefix-set.ts";
import type { SourceLimit } from "./source-limit.ts";
import type { SynCookies } from "./syn-cookies.ts";
import type { TokenBuckets } from "./token-buckets.ts";

/** What an `Answer` is, as a number. */
export const AnswerKind = {
  Continue: 0,
  Allow: 1,
  Deny: 2,
  UseBackend: 3,
  UseService: 4,
  SetMode: 5,
  Capture: 6,
} as const;

/** What a hook says of a flow. Made by the view's methods, or one of the two constants. */
export type Answer = number & { readonly __brand: "Answer" };

/** Nothing to say: the next policy is asked; after the last one the flow is allowed. */
export const Continue = AnswerKind.Continue as Answer;
/** The flow is allowed, and no further policy is asked. */
export const Allow = AnswerKind.Allow as Answer;

export type FlowProtocol = "TCP" | "UDP" | "SCTP";

/** An address as it lies in the flow tables; the kits under `PolicyState` take it as it is. */
export interface FlowAddress {
  /** The array that holds the four raw words of the address (an IPv4 address is IPv4-mapped), */
  readonly words: Int32Array;
  /** and where in it. */
  readonly at: number;
  /** Below 2^31; keyed by the cluster's secret: the same for one address on every node, and not to be guessed. */
  readonly hash: number;
  readonly isIpv4: boolean;
  /** The usual text. Allocates: for messages, not for decisions. */
  toString(): string;
}

/** The first frame of a flow, before a backend has been chosen. */
export interface NewFlow {
  readonly client: FlowAddress;
  readonly clientPort: number;
  readonly vip: FlowAddress;
  readonly vipPort: number;
  readonly protocol: FlowProtocol;
  /** `namespace/name`. */
  readonly service: string;
  /** Where the frame came in. */
  readonly interface: string;
  /** Below 2^31, of the whole flow; keyed, the same on every node. */
  readonly hash: number;
  /** Milliseconds of the monotonic clock. */
  readonly milliseconds: number;
  /** How many backends take new flows; those below are named by 0 .. backendCount - 1. */
  readonly backendCount: number;
  backendAddress(index: number): FlowAddress;
  backendPort(index: number): number;
  /** How many live flows of this Service's address and port the backend has on this node. */
  backendFlows(index: number): number;
  /** Bytes of payload in this frame: 0 in a TCP SYN as a rule, the datagram's in UDP. */
  readonly payloadLength: number;
  /** A byte of the payload; `index` below `payloadLength`. */
  payload(index: number): number;

  /** The frame is dropped; the next one of this client asks anew. `reason`: a few words, always the same ones. */
  deny(reason: string): Answer;
  /** The backend of this index takes the flow. No further policy is asked. */
  useBackend(index: number): Answer;
  /** Another Service of the same protocol takes the flow, by the port of the same number or else its first one. */
  useService(key: string): Answer;
  /**
   * How the flow is forwarded: "nat", or "dsr" as its Service is configured to be. The next policy is asked; may be said
   * before another answer too.
   */
  setMode(mode: "nat" | "dsr"): Answer;
  /**
   * `sluice monitor` and `sluice capture` see each frame of the flow: it stays with the workers, so it is slower. The next
   * policy is asked; may be said before another answer too.
   */
  capture(): Answer;
}

/** A flow that has ended, whoever forwarded it. */
export interface EndedFlow {
  readonly client: FlowAddress;
  readonly clientPort: number;
  readonly vip: FlowAddress;
  readonly vipPort: number;
  readonly protocol: FlowProtocol;
  /** `namespace/name` of the Service whose backend had it. */
  readonly service: string;
  readonly backend: FlowAddress;
  readonly backendPort: number;
  /** From the client; bytes of frames, with their Ethernet headers. */
  readonly requestPackets: number;
  readonly requestBytes: number;
  /** To the client; none where backends answer clients themselves (DSR). */
  readonly replyPackets: number;
  readonly replyBytes: number;
  /** From the first frame to the last one. */
  readonly seconds: number;
  readonly reason: FlowEndReason;
}

/** A Service as `intent` sees it: what is to be forwarded, in plain words. */
export interface ServiceIntent {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** How requests reach backends; `null` leaves it to the settings. */
  readonly mode: "nat" | "dsr" | null;
  /** How a new flow finds its backend; `null` leaves it to the settings. */
  readonly balancing: "maglev" | "random" | "least-connections" | null;
  readonly ports: readonly PortIntent[];
}

export interface PortIntent {
  /** Empty for the only port of a Service. */
  readonly name: string;
  readonly port: number;
  readonly protocol: FlowProtocol;
  readonly backends: readonly BackendIntent[];
}

export interface BackendIntent {
  readonly address: string;
  readonly port: number;
  /** Its share of new flows relative to the others; 0 takes none. By default 1. */
  readonly weight?: number;
  /** `draining` keeps its flows and takes no new ones; `serving` takes some only while nothing is ready. */
  readonly state?: "ready" | "serving" | "draining";
  /** The node that it runs on; `null` or absent for none. */
  readonly node?: string | null;
}

/** State that all threads share. Each piece has a name and keeps what it has when the module is loaded anew. */
export interface PolicyState {
  counter(name: string): Counter;
  tokenBuckets(name: string, options: { clients: number; perSecond: number; burst: number }): TokenBuckets;
  clients(name: string, options: { clients: number; words: number }): ClientTable;
  /** The kernel's limit on the new flows of one source. */
  sourceLimit(): SourceLimit;
  /** The door's SYN cookies. */
  synCookies(): SynCookies;
  /** From a list, from a file with one prefix a line (`#` begins a comment; read again when it changes), or both. */
  prefixes(name: string, from: { prefixes?: readonly string[]; file?: string }): PrefixSet;
}

export interface PolicyContext<Options> {
  readonly options: Options;
  readonly state: PolicyState;
}

export interface PolicyHooks {
  /** In a worker: before the first frame of a flow goes on. */
  onNewFlow?(flow: NewFlow): Answer;
  /** About once a second in each worker. */
  onTick?(milliseconds: number): void;
  /** In a thread of its own, some tenths of a second after a flow has ended; the view is used again. */
  onFlowEnd?(flow: EndedFlow): void;
  /**
   * In that thread too, before what is wanted of a Service is carried out: the Service with other backends, weights or
   * ways of forwarding, or nothing where it is to stay as it is. A pure function: it is called again only when the Service
   * or the policy has changed.
   */
  intent?(service: ServiceIntent): Partial<Pick<ServiceIntent, "mode" | "balancing" | "ports">> | undefined;
}

export interface PolicyModule<Options = unknown> {
  /** Shown by `sluice policies`. */
  readonly version: string;
  /** JSON Schema (draft 2020-12) of the options; `description`s appear in messages. Absent: no options are taken. */
  readonly options?: object;
  create(context: PolicyContext<Options>): PolicyHooks;
}

/** Gives a module its types; changes nothing. */
export function definePolicy<Options>(module: PolicyModule<Options>): PolicyModule<Options> {
  return module;
}
