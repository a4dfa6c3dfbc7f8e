/** The kernel's limit on the new flows of one source, which XDP reads out of a word of its settings. */
import type { BpfObject } from "../xdp/bpf.ts";
import { SETTINGS_SOURCE_INTERVAL } from "../xdp/door-maps.ts";

/** Nanoseconds between two flows of a source of which so many a second are allowed; 0 for as many as it likes. */
export function sourceInterval(perSecond: number): number {
  return perSecond === 0 ? 0 : Math.ceil(1e9 / perSecond);
}

/**
 * Sets what policies ask for; the operator's own limit holds where it is lower.
 * @param configured flows a second, 0 for no limit.
 * @returns a function of what policies ask for, likewise.
 */
export function sourceLimiter(object: BpfObject, configured: number): (perSecond: number) => void {
  const settings = object.map("settings").mmap();
  return (asked) => {
    const limits = [asked, configured].filter((perSecond) => perSecond > 0);
    settings[SETTINGS_SOURCE_INTERVAL] = sourceInterval(limits.length === 0 ? 0 : Math.min(...limits));
  };
}
