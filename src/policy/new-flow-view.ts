/** The view of a new flow that hooks get: one object for all flows of a worker, so that asking allocates nothing. */
import { KEY_DESTINATION, KEY_PORTS, KEY_SOURCE } from "../dataplane/flow-key.ts";
import { MODE_NAT } from "../dataplane/forwarding-layout.ts";
import type { Pipeline } from "../dataplane/pipeline.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { destinationPortFromRaw, sourcePortFromRaw, swap16 } from "../wire/raw.ts";
import { SCTP_HEADER_BYTES, TCP_DATA_OFFSET, UDP_HEADER_BYTES } from "../wire/transport.ts";
import { AddressView } from "./address-view.ts";
import { type Answer, AnswerKind, type FlowAddress, type FlowProtocol, type NewFlow } from "./define-policy.ts";
import { ServiceDirectory } from "./service-directory.ts";

/** Answers in words, by kind. */
export const ANSWER_WORDS: readonly string[] = [
  "continue",
  "allow",
  "deny",
  "useBackend",
  "useService",
  "setMode",
  "capture",
];

const NOTHING = -1;

export class NewFlowView implements NewFlow {
  readonly client: AddressView;
  readonly vip: AddressView;
  /** Argument of the last answer: index of a backend, or row of a VIP; -1 for none. */
  chosen = NOTHING;
  /** Why the last answer was no. */
  reason = "";
  /** What has been said of the flow besides: that it goes by NAT, */
  byNat = false;
  /** and that all of its frames are to be seen. */
  watched = false;
  /** By which Services are named; */
  directory = new ServiceDirectory([]);
  /** and interfaces, by port id. */
  interfaces: readonly string[] = [];
  readonly #pipeline: Pipeline;
  readonly #backend: AddressView;
  readonly #clock: Float64Array;
  #frame = 0;
  #vip = 0;

  /** @param clock nanoseconds of the monotonic clock, in its first element. */
  constructor(pipeline: Pipeline, clock: Float64Array) {
    this.#pipeline = pipeline;
    this.#clock = clock;
    this.client = new AddressView(pipeline.key, pipeline);
    this.client.show(pipeline.key, KEY_SOURCE);
    this.vip = new AddressView(pipeline.key, pipeline);
    this.vip.show(pipeline.key, KEY_DESTINATION);
    this.#backend = new AddressView(pipeline.key, pipeline);
  }

  /**
   * Turns the view to the frame whose key the pipeline has loaded. Whatever can be, is looked up when it is asked for: most
   * policies look at one thing only. @param vip row of the forwarding table.
   */
  show(i: number, vip: number): void {
    this.#frame = i;
    this.#vip = vip;
    this.byNat = false;
    this.watched = false;
    this.client.renew();
    this.vip.renew();
  }

  get service(): string {
    return this.directory.name(this.#pipeline.table.vipId(this.#vip));
  }

  get milliseconds(): number {
    return Math.floor(this.#clock[0]! / 1e6);
  }

  get clientPort(): number {
    return sourcePortFromRaw(this.#pipeline.key[KEY_PORTS]!);
  }

  get vipPort(): number {
    return destinationPortFromRaw(this.#pipeline.key[KEY_PORTS]!);
  }

  get protocol(): FlowProtocol {
    const protocol = this.#pipeline.batch.protocol[this.#frame]!;
    return protocol === PROTOCOL_TCP ? "TCP" : protocol === PROTOCOL_UDP ? "UDP" : "SCTP";
  }

  get interface(): string {
    return this.interfaces[this.#pipeline.batch.port[this.#frame]!]!;
  }

  get hash(): number {
    return this.#pipeline.batch.hash[this.#frame]! >>> 1;
  }

  get backendCount(): number {
    return this.#pipeline.table.backendCount(this.#vip);
  }

  backendAddress(index: number): FlowAddress {
    const { table } = this.#pipeline;
    this.#backend.show(table.backends, table.backendAt(this.#vip, this.#within(index, this.backendCount, "backend")));
    return this.#backend;
  }

  backendPort(index: number): number {
    const { table } = this.#pipeline;
    return swap16(table.backendPort(table.backendAt(this.#vip, this.#within(index, this.backendCount, "backend"))));
  }

  backendFlows(index: number): number {
    const { table, load } = this.#pipeline;
    const backend = table.backendAt(this.#vip, this.#within(index, this.backendCount, "backend"));
    return load.flows((table.vipId(this.#vip) << 16) | table.backendId(backend));
  }

  get payloadLength(): number {
    return this.#pipeline.batch.end[this.#frame]! - this.#payloadAt();
  }

  payload(index: number): number {
    return this.#pipeline.view.getUint8(this.#payloadAt() + this.#within(index, this.payloadLength, "payload byte"));
  }

  deny(reason: string): Answer {
    this.reason = reason;
    return AnswerKind.Deny as Answer;
  }

  useBackend(index: number): Answer {
    this.chosen = this.#pipeline.table.backendAt(this.#vip, this.#within(index, this.backendCount, "backend"));
    return AnswerKind.UseBackend as Answer;
  }

  useService(key: string): Answer {
    const { table, batch } = this.#pipeline;
    this.chosen = this.directory.find(key, this.vipPort, batch.protocol[this.#frame]!, table);
    if (this.chosen < 0) throw new Error(`no Service ${key} is served here by ${this.protocol}`);
    return AnswerKind.UseService as Answer;
  }

  setMode(mode: "nat" | "dsr"): Answer {
    if (mode === "dsr" && this.#pipeline.table.mode(this.#vip) === MODE_NAT) {
      throw new Error(`${this.service} is not configured for direct server return, so its backends are not prepared`);
    }
    this.byNat = mode === "nat";
    return AnswerKind.SetMode as Answer;
  }

  capture(): Answer {
    this.watched = true;
    return AnswerKind.Capture as Answer;
  }

  #payloadAt(): number {
    const { batch, view } = this.#pipeline;
    const l4 = batch.transport[this.#frame]!;
    const protocol = batch.protocol[this.#frame]!;
    if (protocol === PROTOCOL_TCP) return l4 + ((view.getUint8(l4 + TCP_DATA_OFFSET) & 0xf0) >>> 2);
    return l4 + (protocol === PROTOCOL_UDP ? UDP_HEADER_BYTES : SCTP_HEADER_BYTES);
  }

  #within(index: number, count: number, what: string): number {
    if (Number.isInteger(index) && index >= 0 && index < count) return index;
    throw new RangeError(`there is no ${what} ${index}; there are ${count}`);
  }
}
