/**
 * Which frames somebody wants to see. Workers look only at what a frame and its verdict show, so that a busy gateway does
 * not fill the ring with what nobody asked for; what takes names is looked at once more where names are known.
 */
import { DROP_REASONS, DropReason, type DropReasonName } from "../dataplane/drop-reason.ts";
import { Verdict } from "../dataplane/frame-batch.ts";
import { addressBits, type IpAddress, type IpPrefix, parseIpPrefix } from "../net/ip-address.ts";
import { FRAME_VERDICTS, type FrameEvent, type FrameVerdict } from "./frame-event.ts";
import { addressesOf } from "./read-frame.ts";

/** All that is given must hold. */
export interface FrameFilter {
  /** NAMESPACE/NAME. */
  readonly service: string | null;
  readonly client: IpPrefix | null;
  readonly reason: DropReasonName | null;
  readonly verdict: FrameVerdict | null;
  /** A policy that has decided about the flow. */
  readonly policy: string | null;
  /** Only flows that a policy wants to be seen. */
  readonly captured: boolean;
}

/** As much of a filter as a worker can judge: plain data that crosses threads. */
export interface WorkerFilter {
  /** One of the frame's addresses, before or after, must be in one of each list; an empty list asks for nothing. */
  readonly addresses: readonly (readonly PrefixBytes[])[];
  /** A `Verdict`, or -1. */
  readonly verdict: number;
  /** A `DropReason`, or -1. */
  readonly reason: number;
}

interface PrefixBytes {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

const VERDICT_OF: Readonly<Record<FrameVerdict, number>> = {
  forwarded: Verdict.Transmit,
  answered: Verdict.Reply,
  // The copy waits; this frame ends here.
  held: Verdict.Drop,
  dropped: Verdict.Drop,
  passed: Verdict.Pass,
};

const FIELDS = ["service", "client", "reason", "verdict", "policy", "captured"] as const;

/** Reads a filter out of words; throws with the word that is wrong. @param read gives the value of a field, or `null`. */
export function parseFrameFilter(read: (field: (typeof FIELDS)[number]) => string | null): FrameFilter {
  const [service, client, reason, verdict, policy, captured] = FIELDS.map((field) => read(field) || null);
  const prefix = client == null ? null : parseIpPrefix(client);
  if (client != null && prefix === null) throw new Error(`client ${client}: an address or a prefix expected`);
  if (reason != null && !isOneOf(DROP_REASONS, reason)) {
    throw new Error(`reason ${reason}: no such reason; \`sluice status\` and docs/troubleshooting.md have their names`);
  }
  if (verdict != null && !isOneOf(FRAME_VERDICTS, verdict)) {
    throw new Error(`verdict ${verdict}: one of ${FRAME_VERDICTS.join(", ")} expected`);
  }
  if (captured != null && captured !== "true" && captured !== "false") {
    throw new Error(`captured ${captured}: true or false expected`);
  }
  return {
    service: service == null ? null : service.includes("/") ? service : `default/${service}`,
    client: prefix,
    reason: (reason as DropReasonName | null) ?? null,
    verdict: (verdict as FrameVerdict | null) ?? null,
    policy: policy ?? null,
    captured: captured === "true",
  };
}

/** @param vips addresses of the filter's service. */
export function workerFilter(filter: FrameFilter, vips: readonly IpAddress[]): WorkerFilter {
  const addresses = [];
  if (filter.client !== null) addresses.push([prefixBytes(filter.client)]);
  if (filter.service !== null) {
    addresses.push(vips.map((address) => prefixBytes({ address, prefixLength: addressBits(address.family) })));
  }
  return {
    addresses,
    verdict: filter.verdict === null ? -1 : VERDICT_OF[filter.verdict],
    reason: filter.reason === null ? -1 : DropReason[filter.reason],
  };
}

/** Whether a worker's frame may be wanted. `after` is empty when it was not sent. */
export function mayMatch(
  filter: WorkerFilter,
  verdict: number,
  reason: number,
  before: Uint8Array,
  after: Uint8Array,
): boolean {
  if (filter.verdict >= 0 && filter.verdict !== verdict) return false;
  if (filter.reason >= 0 && filter.reason !== reason) return false;
  if (filter.addresses.length === 0) return true;
  const found = [...addressesOf(before), ...addressesOf(after)];
  return filter.addresses.every((list) => list.some((prefix) => found.some((address) => isWithin(address, prefix))));
}

/** The whole of it. */
export function matches(filter: FrameFilter, event: FrameEvent): boolean {
  if (filter.verdict !== null && filter.verdict !== event.verdict) return false;
  if (filter.reason !== null && filter.reason !== event.reason) return false;
  if (filter.service !== null && filter.service !== event.service) return false;
  if (filter.policy !== null && filter.policy !== event.policy?.policy) return false;
  if (filter.captured && !event.captured) return false;
  if (filter.client === null) return true;
  const client = event.client === null ? null : parseIpPrefix(event.client);
  return client !== null && isWithin(prefixBytes(client).bytes, prefixBytes(filter.client));
}

function prefixBytes({ address, prefixLength }: IpPrefix): PrefixBytes {
  const length = addressBits(address.family) / 8;
  const bytes = Uint8Array.from({ length }, (_, at) =>
    Number((address.value >> BigInt(8 * (length - 1 - at))) & 0xffn),
  );
  return { bytes, bits: prefixLength };
}

function isWithin(address: Uint8Array, { bytes, bits }: PrefixBytes): boolean {
  if (address.length !== bytes.length) return false;
  const whole = bits >> 3;
  for (let at = 0; at < whole; at++) if (address[at] !== bytes[at]) return false;
  const mask = 0xff00 >> (bits & 7);
  return (bits & 7) === 0 || ((address[whole]! ^ bytes[whole]!) & mask & 0xff) === 0;
}

function isOneOf<T extends string>(words: readonly T[], word: string): word is T {
  return (words as readonly string[]).includes(word);
}
