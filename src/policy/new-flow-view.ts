/** The view of a new flow that hooks get: one object for all flows of a worker, so that asking allocates nothing. */
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, KEY_SOURCE, newFlowKey } from "../dataplane/flow-key.ts";
import type { Pipeline } from "../dataplane/pipeline.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { copyAddress, destinationPortFromRaw, isMapped, loadAddress, sourcePortFromRaw, swap16 } from "../wire/raw.ts";
import { SCTP_HEADER_BYTES, TCP_DATA_OFFSET, UDP_HEADER_BYTES } from "../wire/transport.ts";
import type { Answer, FlowAddress, FlowProtocol, NewFlow } from "./define-policy.ts";
import type { ServiceDirectory } from "./service-directory.ts";

/** What an `Answer` is; Continue and Allow are 0 and 1. */
export const AnswerKind = { Continue: 0, Allow: 1, Deny: 2, UseBackend: 3, UseService: 4 } as const;

/** In words, by kind. */
export const ANSWER_WORDS: readonly string[] = ["continue", "allow", "deny", "useBackend", "useService"];

const NOTHING = -1;

export class NewFlowView implements NewFlow {
  readonly client: AddressView;
  readonly vip: AddressView;
  milliseconds = 0;
  backendCount = 0;
  service = "";
  /** Argument of the last answer: index of a backend, or row of a VIP; -1 for none. */
  chosen = NOTHING;
  /** Why the last answer was no. */
  reason = "";
  readonly #pipeline: Pipeline;
  readonly #directory: ServiceDirectory;
  readonly #interfaces: readonly string[];
  readonly #backend: AddressView;
  #frame = 0;
  #vip = 0;
  #payloadAt = 0;

  constructor(pipeline: Pipeline, directory: ServiceDirectory, interfaces: readonly string[]) {
    this.#pipeline = pipeline;
    this.#directory = directory;
    this.#interfaces = interfaces;
    this.client = new AddressView(pipeline);
    this.vip = new AddressView(pipeline);
    this.#backend = new AddressView(pipeline);
  }

  /** Turns the view to the frame whose key the pipeline has loaded. @param vip row of the forwarding table. */
  show(i: number, vip: number, milliseconds: number): void {
    const { key, table, batch } = this.#pipeline;
    this.#frame = i;
    this.#vip = vip;
    this.milliseconds = milliseconds;
    this.client.show(key, KEY_SOURCE);
    this.vip.show(key, KEY_DESTINATION);
    this.backendCount = table.backendCount(vip);
    this.service = this.#directory.name(table.vipId(vip));
    this.#payloadAt = batch.transport[i]! + this.#headerBytes(batch.transport[i]!, batch.protocol[i]!);
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
    return this.#interfaces[this.#pipeline.batch.port[this.#frame]!]!;
  }

  get hash(): number {
    return this.#pipeline.batch.hash[this.#frame]! >>> 0;
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
    return this.#pipeline.batch.end[this.#frame]! - this.#payloadAt;
  }

  payload(index: number): number {
    return this.#pipeline.view.getUint8(this.#payloadAt + this.#within(index, this.payloadLength, "payload byte"));
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
    this.chosen = this.#directory.find(key, this.vipPort, batch.protocol[this.#frame]!, table);
    if (this.chosen < 0) throw new Error(`no Service ${key} is served here by ${this.protocol}`);
    return AnswerKind.UseService as Answer;
  }

  #headerBytes(l4: number, protocol: number): number {
    if (protocol === PROTOCOL_TCP) return (this.#pipeline.view.getUint8(l4 + TCP_DATA_OFFSET) & 0xf0) >>> 2;
    return protocol === PROTOCOL_UDP ? UDP_HEADER_BYTES : SCTP_HEADER_BYTES;
  }

  #within(index: number, count: number, what: string): number {
    if (Number.isInteger(index) && index >= 0 && index < count) return index;
    throw new RangeError(`there is no ${what} ${index}; there are ${count}`);
  }
}

class AddressView implements FlowAddress {
  words: Int32Array;
  at = 0;
  readonly #pipeline: Pipeline;
  readonly #hashed: FlowKey;
  #hash = NOTHING;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
    this.words = pipeline.key;
    this.#hashed = newFlowKey();
  }

  show(words: Int32Array, at: number): void {
    this.words = words;
    this.at = at;
    this.#hash = NOTHING;
  }

  /** Computed when it is asked for the first time. */
  get hash(): number {
    if (this.#hash === NOTHING) {
      copyAddress(this.#hashed, KEY_SOURCE, this.words, this.at);
      this.#hash = this.#pipeline.flows6.hashKey(this.#hashed) >>> 0;
    }
    return this.#hash;
  }

  get isIpv4(): boolean {
    return isMapped(this.words, this.at);
  }

  toString(): string {
    return formatIpAddress(loadAddress(this.words, this.at));
  }
}
