/** The view of an ended flow that hooks get, over the note of its end: one object for all. */
import { FLOW_END_REASONS, type FlowEndReason } from "../dataplane/flow-end.ts";
import {
  END_BACKEND,
  END_BACKEND_PORT,
  END_CLIENT,
  END_PORTS,
  END_PROTOCOL,
  END_REPLIES,
  END_REQUESTS,
  END_SECONDS,
  END_VIP,
  END_VIP_ID,
  noteCounter,
} from "../dataplane/flow-end-log.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/ipv4.ts";
import { destinationPortFromRaw, sourcePortFromRaw, swap16 } from "../wire/raw.ts";
import { type AddressHashers, AddressView } from "./address-view.ts";
import type { EndedFlow, FlowProtocol } from "./define-policy.ts";
import type { ServiceDirectory } from "./service-directory.ts";

export class EndedFlowView implements EndedFlow {
  readonly client: AddressView;
  readonly vip: AddressView;
  readonly backend: AddressView;
  #words: Int32Array;
  #note = 0;
  readonly #directory: ServiceDirectory;

  constructor(hashers: AddressHashers, directory: ServiceDirectory) {
    this.#words = new Int32Array(0);
    this.#directory = directory;
    this.client = new AddressView(this.#words, hashers);
    this.vip = new AddressView(this.#words, hashers);
    this.backend = new AddressView(this.#words, hashers);
  }

  show(words: Int32Array, note: number): void {
    this.#words = words;
    this.#note = note;
    this.client.show(words, note + END_CLIENT);
    this.vip.show(words, note + END_VIP);
    this.backend.show(words, note + END_BACKEND);
  }

  get clientPort(): number {
    return sourcePortFromRaw(this.#word(END_PORTS));
  }

  get vipPort(): number {
    return destinationPortFromRaw(this.#word(END_PORTS));
  }

  get backendPort(): number {
    return swap16(this.#word(END_BACKEND_PORT));
  }

  get protocol(): FlowProtocol {
    const protocol = this.#word(END_PROTOCOL) & 0xff;
    return protocol === PROTOCOL_TCP ? "TCP" : protocol === PROTOCOL_UDP ? "UDP" : "SCTP";
  }

  get service(): string {
    return this.#directory.name(this.#word(END_VIP_ID));
  }

  get requestPackets(): number {
    return noteCounter(this.#words, this.#note + END_REQUESTS);
  }

  get requestBytes(): number {
    return noteCounter(this.#words, this.#note + END_REQUESTS + 2);
  }

  get replyPackets(): number {
    return noteCounter(this.#words, this.#note + END_REPLIES);
  }

  get replyBytes(): number {
    return noteCounter(this.#words, this.#note + END_REPLIES + 2);
  }

  get seconds(): number {
    return this.#word(END_SECONDS);
  }

  get reason(): FlowEndReason {
    return FLOW_END_REASONS[this.#word(END_PROTOCOL) >>> 8]!;
  }

  #word(at: number): number {
    return this.#words[this.#note + at]!;
  }
}
