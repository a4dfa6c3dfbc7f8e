/** The two places where backends may be, with what a gateway is started by there: for tests that must hold in both. */
import { Configuration } from "./configuration.ts";
import type { GatewayOptions } from "./gateway.ts";
import type { Lab } from "./lab.ts";
import { type Outside, seedA } from "./seed-a.ts";
import { BACKENDS, twoArms } from "./two-arms.ts";

export interface Inside {
  readonly network: Outside;
  readonly options: GatewayOptions;
}

/** Pods behind the node's own stack. */
export async function behindStack(lab: Lab): Promise<Inside> {
  const network = await seedA(lab);
  const configuration = new Configuration(lab, "seed-a").folder;
  return { network, options: { configuration, node: "node1", uplink: "net0" } };
}

/** Machines behind a second interface. */
export async function behindSecondArm(lab: Lab): Promise<Inside> {
  const network = await twoArms(lab);
  const configuration = twoArmsConfiguration(lab).folder;
  return { network, options: { configuration, node: "node1", uplink: "net0", inside: "lan0" } };
}

/** The first document's manifests, with the backends of two-arms.ts. */
export function twoArmsConfiguration(lab: Lab): Configuration {
  const configuration = new Configuration(lab, "seed-a");
  configuration.edit("10.2.3.5", BACKENDS[0]);
  configuration.edit("10.2.3.6", BACKENDS[1]);
  return configuration;
}
