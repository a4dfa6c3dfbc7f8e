/** What the announcer's thread is told, and what it tells. Plain data: it crosses a thread. */
import type { AnswerCause } from "../l2/event.ts";
import type { Timing } from "../l2/timing.ts";
import type { VlanTag } from "../xdp/door-maps.ts";

export interface AnnouncerSetup {
  readonly node: string;
  /** Authenticates heartbeats; `null` where there is no secret of the cluster: then nothing is agreed with anybody. */
  readonly key: Uint8Array | null;
  /** UDP port of the heartbeats, on all nodes the same. */
  readonly port: number;
  readonly timing: Timing;
  readonly ports: readonly AnnouncerPort[];
  /** Descriptors of the maps `arp4` and `ndp6`: which address is answered for on which interface. */
  readonly arpMapFd: number;
  readonly ndpMapFd: number;
  /** Memory of `dataplane/handoffs.ts`: whose connections are sent on to the node that an address came from. */
  readonly handoffs: Int32Array;
}

export interface AnnouncerPort {
  readonly name: string;
  readonly interfaceIndex: number;
  /** Tags that its frames carry, the outer one first. */
  readonly vlan: readonly VlanTag[];
}

export interface AnnouncedAddress {
  readonly address: string;
  /** Keys of the Services that have it. */
  readonly services: readonly string[];
  readonly candidates: readonly {
    readonly node: string;
    readonly interfaces: readonly string[];
    readonly score: number;
  }[];
}

/** What is to be answered for by somebody: only what this node already serves. */
export interface AnnouncerSpec {
  readonly addresses: readonly AnnouncedAddress[];
  /** Where the nodes hear heartbeats. */
  readonly nodes: Readonly<Record<string, readonly string[]>>;
}

export type AnnouncerRequest =
  | { readonly do: "apply"; readonly spec: AnnouncerSpec; readonly id: number }
  | { readonly do: "busy"; readonly addresses: readonly string[] }
  | { readonly do: "move"; readonly address: string; readonly to: string; readonly id: number }
  | { readonly do: "owners"; readonly id: number }
  | { readonly do: "who"; readonly address: string; readonly id: number }
  | { readonly do: "drain"; readonly on: boolean; readonly id: number }
  | { readonly do: "close"; readonly id: number };

/** Something happened that people and counters should know. */
export type AnnouncerEvent =
  | {
      readonly type: "answers";
      readonly address: string;
      readonly cause: AnswerCause;
      readonly previous: string | null;
      /** From the dead owner's last sign of life to our first announcement. */
      readonly silentMilliseconds: number | null;
    }
  | { readonly type: "silent"; readonly address: string; readonly because: string }
  | {
      readonly type: "conflict";
      readonly address: string;
      readonly mac: string;
      readonly outcome: "defended" | "yielded";
    }
  | { readonly type: "unseen"; readonly address: string; readonly by: string }
  | { readonly type: "link"; readonly interface: string; readonly state: "up" | "no carrier" | "gateway silent" }
  | { readonly type: "member"; readonly member: string; readonly alive: boolean };

export type AnnouncerNews =
  | { readonly tell: "event"; readonly event: AnnouncerEvent }
  | { readonly tell: "answer"; readonly id: number; readonly value: unknown };

/** One line of `sluice l2 owners`. */
export interface OwnerStatus {
  readonly address: string;
  readonly services: readonly string[];
  readonly owner: string | null;
  readonly state: "owned" | "moving" | "nobody";
  readonly term: number;
  /** Interfaces on which this node answers for it. */
  readonly answersHere: readonly string[];
  /** Why this node does not own it; `null` when it does. */
  readonly notHere: string | null;
  /** A node that asked for it on the link in vain; `null` when nobody complains. */
  readonly unseenBy: string | null;
  readonly candidates: readonly string[];
}

export interface MemberStatus {
  readonly node: string;
  readonly alive: boolean;
  readonly addresses: number;
  readonly silentMilliseconds: number | null;
  /** It comes and goes too often, so it gets nothing new. */
  readonly held: boolean;
}

export interface L2Status {
  readonly owners: readonly OwnerStatus[];
  readonly members: readonly MemberStatus[];
  readonly links: readonly { readonly interface: string; readonly carrier: boolean; readonly gateway: string }[];
  readonly announcementsSent: number;
  readonly heartbeatsSent: number;
  readonly heartbeatsReceived: number;
  readonly heartbeatsRefused: number;
  readonly heartbeatsUnsent: number;
}

/** Who answered on a link. */
export interface WhoAnswer {
  readonly interface: string;
  readonly mac: string;
  /** The node that has this MAC, where one is known. */
  readonly node: string | null;
}
