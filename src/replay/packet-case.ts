/**
 * A packet case: a scenario together with what must come out of its last frame, as the scenario files hold them.
 * Judging one is part of the product: people regression-test their own configurations with it.
 */
import type { FrameResult } from "./replay.ts";

/** One acceptable outcome. */
export interface Outcome {
  readonly verdict?: string | readonly string[];
  /** Verdicts that fail the case whatever else holds. */
  readonly never?: readonly string[];
  readonly iface?: string;
  /** Frame expected, hex; compared byte by byte outside `mask`. */
  readonly frame?: string;
  /** [offset, length] pairs that are not compared. */
  readonly mask?: readonly (readonly [number, number])[];
  /** Bytes past the expected length are not compared. */
  readonly allow_trailing_padding?: boolean;
}

/** What is wrong with a result, in words; `null` when the outcome holds. */
export function judge(result: FrameResult, outcome: Outcome): string | null {
  if (outcome.never?.includes(result.verdict)) return `verdict ${result.verdict} must never happen here`;
  const verdicts = typeof outcome.verdict === "string" ? [outcome.verdict] : (outcome.verdict ?? []);
  if (verdicts.length > 0 && !verdicts.includes(result.verdict)) {
    return `verdict ${result.verdict} (${result.reason ?? "forwarded"}), expected ${verdicts.join(" or ")}`;
  }
  if (outcome.iface !== undefined && result.iface !== outcome.iface) {
    return `leaves by ${result.iface}, expected ${outcome.iface}`;
  }
  if (outcome.frame === undefined) return null;
  return compareFrames(result.frame ?? "", outcome);
}

function compareFrames(actual: string, outcome: Outcome): string | null {
  const expected = outcome.frame!;
  const compared = outcome.allow_trailing_padding ? actual.slice(0, expected.length) : actual;
  const masked = (hex: string) => {
    let digits = hex;
    for (const [offset, length] of outcome.mask ?? []) {
      digits = digits.slice(0, offset * 2) + "0".repeat(length * 2) + digits.slice((offset + length) * 2);
    }
    return digits;
  };
  if (masked(compared) === masked(expected)) return null;
  return `frame differs\n  got      ${compared}\n  expected ${expected}`;
}
