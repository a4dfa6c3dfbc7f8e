/** What the main thread and the speaker's thread say to each other. */
import type { DeclaredSpec } from "../bgp/declared-spec.ts";
import type { SpeakerOptions, StopOptions } from "./speaker-core.ts";
import type { SpeakerEvent } from "./speaker-event.ts";

export type SpeakerCall =
  | { readonly call: "apply"; readonly spec: DeclaredSpec }
  | { readonly call: "status" }
  | { readonly call: "advertised"; readonly peerName: string }
  | { readonly call: "received"; readonly peerName: string; readonly most: number }
  | { readonly call: "explain"; readonly prefix: string; readonly peerName: string | null }
  | { readonly call: "refresh"; readonly peerName: string }
  | { readonly call: "capture"; readonly peerName: string }
  | { readonly call: "stop"; readonly options: StopOptions };

export type SpeakerRequest = SpeakerCall & { readonly id: number };

export type SpeakerReply =
  | { readonly type: "answer"; readonly id: number; readonly value: unknown }
  | { readonly type: "failed"; readonly id: number; readonly message: string }
  | { readonly type: "event"; readonly event: SpeakerEvent };

export type SpeakerThreadData = SpeakerOptions;
