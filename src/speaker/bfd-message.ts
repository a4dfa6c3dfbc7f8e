/** What the speaker's thread and the thread of BFD say to each other. */
import type { BfdState } from "../bgp/speaker-spec.ts";
import type { BfdQuestion } from "./platform.ts";

export type BfdRequest =
  | ({ readonly do: "watch"; readonly id: number } & BfdQuestion)
  | { readonly do: "unwatch"; readonly id: number }
  | { readonly do: "close" };

export interface BfdNews {
  readonly id: number;
  readonly state: BfdState;
  readonly words: string;
}
