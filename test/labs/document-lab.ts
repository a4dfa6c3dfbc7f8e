/**
 * The form of a document's lab: a network that is built, and stops at which something is shown. The stops of a lab stand
 * in the order of its document, and each begins where the one before it ended.
 */
import type { Family } from "../lab/both-families.ts";
import type { RouterKind } from "../lab/router.ts";
import type { Tour } from "./tour.ts";

export const DATAPATHS = ["userspace", "hybrid", "auto"] as const;

export interface LabOptions {
  readonly family: Family;
  readonly router: RouterKind;
  /** `null` leaves it to the product. */
  readonly datapath: (typeof DATAPATHS)[number] | null;
}

export interface Stop<Network> {
  readonly title: string;
  readonly why: string;
  show(tour: Tour, network: Network): Promise<void>;
}

export interface StandingLab {
  /** What to type to look around, and what it shows. */
  lookAround(): readonly (readonly [what: string, command: string])[];
  close(): Promise<void>;
}

export interface DocumentLab<Network extends StandingLab> {
  readonly name: string;
  readonly title: string;
  /** Every claim that its stops show. */
  readonly claims: readonly string[];
  readonly stops: readonly Stop<Network>[];
  build(options: LabOptions): Promise<Network>;
}

/** Goes to a stop: its heading, then what it shows. */
export async function goTo<Network>(stop: Stop<Network>, tour: Tour, network: Network): Promise<void> {
  tour.stop(stop.title, stop.why);
  await stop.show(tour, network);
}

/** A command line as it can be pasted into a shell. */
export function pasteable(words: readonly string[]): string {
  return words.map((word) => (/^[\w./=:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}
