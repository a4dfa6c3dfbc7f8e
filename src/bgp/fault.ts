/**
 * What is wrong with a received message, and what to do about it: the fault *is* the reaction.
 *
 * `code`, `subcode` and `data` are those of the NOTIFICATION that reports it (RFC 4271 §6); `action` is the approach of
 * RFC 7606 §2. Decoders return faults, they never throw: a malformed message is a normal day.
 */

/** From mildest to gravest: of several faults in one message the gravest decides (RFC 7606 §3 h). */
const FAULT_ACTIONS = ["attribute-discard", "treat-as-withdraw", "afi-safi-disable", "session-reset"] as const;
export type FaultAction = (typeof FAULT_ACTIONS)[number];

export const ErrorCode = {
  Header: 1,
  Open: 2,
  Update: 3,
  HoldTimer: 4,
  Fsm: 5,
  Cease: 6,
  RouteRefresh: 7,
  SendHoldTimer: 8,
} as const;

export const HeaderError = { Marker: 1, Length: 2, Type: 3 } as const;
export const OpenError = {
  Unspecific: 0,
  Version: 1,
  PeerAs: 2,
  RouterId: 3,
  OptionalParameter: 4,
  HoldTime: 6,
  Capability: 7,
  RoleMismatch: 11,
} as const;
export const UpdateError = {
  AttributeList: 1,
  UnknownWellKnown: 2,
  MissingWellKnown: 3,
  Flags: 4,
  Length: 5,
  Origin: 6,
  NextHop: 8,
  OptionalAttribute: 9,
  Network: 10,
  AsPath: 11,
} as const;
/** RFC 6608. */
export const FsmError = { OpenSent: 1, OpenConfirm: 2, Established: 3 } as const;
/** RFC 4486, 8538, 9384. */
export const Cease = {
  PrefixLimit: 1,
  AdministrativeShutdown: 2,
  Deconfigured: 3,
  AdministrativeReset: 4,
  Rejected: 5,
  ConfigurationChange: 6,
  Collision: 7,
  OutOfResources: 8,
  HardReset: 9,
  BfdDown: 10,
} as const;

const NO_OCTETS = new Uint8Array(0);

export class Fault {
  readonly action: FaultAction;
  readonly code: number;
  readonly subcode: number;
  readonly message: string;
  readonly data: Uint8Array;
  /** What `afi-safi-disable` gives up. */
  readonly family: "ipv4" | "ipv6" | null;

  constructor(
    action: FaultAction,
    code: number,
    subcode: number,
    message: string,
    data: Uint8Array = NO_OCTETS,
    family: "ipv4" | "ipv6" | null = null,
  ) {
    this.action = action;
    this.code = code;
    this.subcode = subcode;
    this.message = message;
    this.data = data;
    this.family = family;
  }
}

/** The fault that decides; the first one among equals; `null` of none. */
export function gravest(faults: readonly Fault[]): Fault | null {
  let worst: Fault | null = null;
  for (const fault of faults) {
    if (worst === null || FAULT_ACTIONS.indexOf(fault.action) > FAULT_ACTIONS.indexOf(worst.action)) worst = fault;
  }
  return worst;
}

export function reset(code: number, subcode: number, message: string, data?: Uint8Array): Fault {
  return new Fault("session-reset", code, subcode, message, data);
}
