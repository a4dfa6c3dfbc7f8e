/** What a speaker tells as it happens: for logs, metrics and `sluice monitor`. Plain data that can cross threads. */
import type { SessionState } from "../bgp/speaker-spec.ts";

export interface SpeakerEvent {
  readonly type: "state";
  readonly localAsn: number;
  readonly name: string;
  readonly address: string;
  readonly from: SessionState;
  readonly to: SessionState;
  /** Why, when a session ended or could not begin. */
  readonly words: string | null;
  readonly atMilliseconds: number;
}

export type SpeakerListener = (event: SpeakerEvent) => void;
