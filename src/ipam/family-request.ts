/** Which families of addresses a Service asks for. */
import type { Service } from "../intent/service.ts";
import type { Settings } from "../intent/settings.ts";
import type { IpFamily } from "../net/ip-address.ts";

/**
 * A family that is named is asked for even where it is switched off: the Service then waits, visibly, instead of getting
 * an address of a kind that it did not want.
 */
export function requestedFamilies(
  service: Pick<Service, "families" | "familyPolicy">,
  settings: Pick<Settings, "ipv4Enabled" | "ipv6Enabled">,
): readonly IpFamily[] {
  const enabled: IpFamily[] = [];
  if (settings.ipv4Enabled) enabled.push(4);
  if (settings.ipv6Enabled) enabled.push(6);
  switch (service.familyPolicy) {
    case "RequireDualStack":
      return enabled;
    case "PreferDualStack":
      return service.families.length === 0 ? enabled : enabled.filter((family) => service.families.includes(family));
    default:
      return service.families.length > 0 ? service.families.slice(0, 1) : enabled.slice(0, 1);
  }
}
