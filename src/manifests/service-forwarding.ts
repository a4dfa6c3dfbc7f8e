/** The annotations of a Service that say how its requests are forwarded: two of Cilium's, and one of our own. */
import { BALANCING_CHOICES } from "../intent/balancing-choice.ts";
import { FORWARDING_CHOICES, SOURCE_NAT_CHOICES } from "../intent/forwarding-choice.ts";
import type { Service } from "../intent/service.ts";
import type { Report } from "./finding.ts";
import type { ObjectMetadata } from "./object-metadata.ts";

const FORWARDING_MODE = "service.cilium.io/forwarding-mode";
const BALANCING = "service.cilium.io/lb-algorithm";
const SOURCE_NAT = "sluice.dev/source-nat";

/** Kubernetes lets any text in here: a bad one counts as none. */
export function readForwarding(
  metadata: ObjectMetadata,
  report: Report,
): Pick<Service, "forwarding" | "sourceNat" | "balancing"> {
  const oneOf = <Value extends string>(key: string, values: readonly Value[]): Value | null => {
    const text = metadata.annotations?.[key];
    const value = values.find((candidate) => candidate === text) ?? null;
    if (text !== undefined && value === null) {
      const message = `must be one of ${values.join(", ")}; ${JSON.stringify(text)} counts as not given`;
      report("warning", ["metadata", "annotations", key], message);
    }
    return value;
  };
  return {
    forwarding: oneOf(FORWARDING_MODE, FORWARDING_CHOICES),
    sourceNat: oneOf(SOURCE_NAT, SOURCE_NAT_CHOICES),
    balancing: oneOf(BALANCING, BALANCING_CHOICES),
  };
}
