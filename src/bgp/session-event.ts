/**
 * The vocabulary of the FSM: what is remembered of a session, what can happen to it, what it asks to be done.
 */
import type { Fault } from "./fault.ts";
import type { Message, Notification, RouteRefresh, Update } from "./message.ts";
import type { Negotiated } from "./negotiation.ts";
import type { SessionState } from "./speaker-spec.ts";

/** What is remembered between two events. */
export interface Session {
  readonly state: SessionState;
  /** Failures in a row, the RFC's ConnectRetryCounter: it sets the pause before the next try. */
  readonly failures: number;
  /** Set from OpenConfirm on. */
  readonly negotiated: Negotiated | null;
}

export const IDLE: Session = { state: "Idle", failures: 0, negotiated: null };
/** A session made for a connection that the peer opened. */
export const AWAITING_PEER: Session = { state: "Active", failures: 0, negotiated: null };

export type Timer = "idle-hold" | "connect-retry" | "hold" | "keepalive";

export type Event =
  | { readonly type: "start" }
  /** `notification` tells the peer why; `null` closes without a word, so that a graceful restart may follow. */
  | { readonly type: "stop"; readonly notification: Notification | null }
  /** Reset for a changed configuration: told to the peer, then started again at once. */
  | { readonly type: "restart"; readonly notification: Notification; readonly words: string }
  | { readonly type: "expired"; readonly timer: Timer }
  /** What we wrote has not left for too long (RFC 9687). */
  | { readonly type: "send-hold-expired" }
  | { readonly type: "connected" }
  | { readonly type: "connection-failed"; readonly words: string }
  | { readonly type: "message"; readonly message: Message }
  | { readonly type: "fault"; readonly fault: Fault }
  /** BFD lost the peer (RFC 5882 §4.1). */
  | { readonly type: "bfd-down" }
  /** The other connection to the same peer is the one to keep. */
  | { readonly type: "collision" };

export type Effect =
  | { readonly do: "connect" }
  /** Closes after everything sent has left; `abort` closes at once, since nothing leaves any more. */
  | { readonly do: "disconnect"; readonly abort: boolean }
  | { readonly do: "send"; readonly message: Message }
  | { readonly do: "arm"; readonly timer: Timer; readonly milliseconds: number }
  | { readonly do: "disarm"; readonly timer: Timer }
  | { readonly do: "opened"; readonly negotiated: Negotiated }
  | { readonly do: "established"; readonly negotiated: Negotiated }
  | { readonly do: "update"; readonly update: Update }
  | { readonly do: "refresh"; readonly request: RouteRefresh }
  /** Why a session ended or could not begin, in words. */
  | { readonly do: "report"; readonly words: string };

export interface Transition {
  readonly session: Session;
  readonly effects: readonly Effect[];
}
