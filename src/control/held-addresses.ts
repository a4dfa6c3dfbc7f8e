/**
 * Carries the addresses of one plan into the next Intent. Where no API server keeps them in the status of the Services,
 * the running process does; without this a Service that is removed would renumber those behind it.
 */
import type { Intent } from "../intent/intent.ts";
import { serviceKey } from "../intent/service.ts";
import { compareIpAddress, type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import type { Plan } from "./plan.ts";

/** `Plan.services` or what of it was kept on disk. */
export type HeldAddresses = Readonly<Record<string, Pick<Plan["services"][string], "ingress" | "pool">>>;

/** What the sources say is held comes first; what the plan adds follows. */
export function withHeldAddresses(intent: Intent, held: HeldAddresses): Intent {
  const services = intent.services.map((service) => {
    const known = Object.hasOwn(held, serviceKey(service)) ? held[serviceKey(service)]! : null;
    // Without pools held addresses count as somebody else's gift, which those from our last pool are not.
    const isOrphaned = known !== null && known.pool !== null && intent.pools.length === 0;
    const added = (isOrphaned ? [] : (known?.ingress ?? [])).flatMap((text) => parseIpAddress(text) ?? []);
    const isNew = (address: IpAddress) => !service.heldAddresses.some((own) => compareIpAddress(own, address) === 0);
    return { ...service, heldAddresses: [...service.heldAddresses, ...added.filter(isNew)] };
  });
  return { ...intent, services };
}
