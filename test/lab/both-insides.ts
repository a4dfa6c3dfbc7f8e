/** A gateway's network with its backends on either side that there is, and the options to start it there. */
import { Configuration } from "./configuration.ts";
import type { GatewayOptions } from "./gateway.ts";
import type { Lab } from "./lab.ts";
import { isVipRouted, NODE_ADDRESS, type Outside, seedA, VIP } from "./seed-a.ts";
import { BACKENDS, type TwoArms, twoArms } from "./two-arms.ts";
import { waitFor } from "./wait-for.ts";

export interface Site {
  readonly network: Outside;
  readonly configuration: Configuration;
  readonly options: GatewayOptions;
}

export async function behindStack(lab: Lab): Promise<Site> {
  const network = await seedA(lab);
  const configuration = new Configuration(lab, "seed-a");
  return {
    ...{ network, configuration },
    options: { configuration: configuration.folder, node: "node1", uplink: "net0" },
  };
}

export async function behindSecondArm(lab: Lab): Promise<Site & { readonly network: TwoArms }> {
  const network = await twoArms(lab);
  const configuration = new Configuration(lab, "seed-a");
  configuration.edit("10.2.3.5", BACKENDS[0]);
  configuration.edit("10.2.3.6", BACKENDS[1]);
  return {
    ...{ network, configuration },
    options: { configuration: configuration.folder, node: "node1", uplink: "net0", inside: "lan0" },
  };
}

export const BOTH_INSIDES = [
  ["the node's own stack", behindStack],
  ["a second interface", behindSecondArm],
] as const;

/** Waits for the route, and lets the router keep it without a session, as it would with graceful restart. */
export async function keepRoute(network: Outside): Promise<void> {
  await waitFor("the route", () => isVipRouted(network), { timeoutSeconds: 30 });
  network.router.ip(`route add ${VIP}/32 via ${NODE_ADDRESS} metric 5000`);
}
