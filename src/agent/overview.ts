/** What the status page shows of this node and, as far as a node knows, of the others: one value, made once a second. */
import type { MemberStatus, OwnerStatus } from "../announcer/announcer-message.ts";
import type { PoolPlan } from "../control/plan.ts";
import type { Gateway } from "./gateway.ts";
import type { PolicyStatus } from "./node-policies.ts";
import type { ServiceMove } from "./service-moves.ts";
import { type GatewayStatus, gatewayStatus, type ServiceStatus } from "./status.ts";

/** A page is no place for more. */
const MOST_SERVICES = 500;

export interface ServiceOverview {
  /** NAMESPACE/NAME. */
  readonly name: string;
  readonly ingress: readonly string[];
  readonly pool: string | null;
  /** Nodes that may attract its traffic. */
  readonly announcers: readonly string[];
  /** Owners of its addresses on links. */
  readonly owners: readonly string[];
  /** Why it has no address, or what else is wrong with it. */
  readonly trouble: readonly string[];
  /** When it last failed over or was handed over, as far as this node had a part in it. */
  readonly lastMove: ServiceMove | null;
  /** What this node serves of it; none where it serves nothing. */
  readonly vips: readonly ServiceStatus[];
}

export interface Overview {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly status: Omit<GatewayStatus, "services">;
  readonly services: readonly ServiceOverview[];
  /** Services beyond those that are shown. */
  readonly moreServices: number;
  readonly pools: Readonly<Record<string, Pick<PoolPlan, "total" | "available" | "used" | "conflict">>>;
  readonly owners: readonly OwnerStatus[];
  readonly members: readonly MemberStatus[];
  readonly policies: readonly PolicyStatus[];
}

export async function overviewOf(gateway: Gateway): Promise<Overview> {
  const { services: served, ...status } = await gatewayStatus(gateway);
  const { owners, members } = await gateway.links.status();
  const vips = Map.groupBy(served, ({ service }) => service);
  const planned = Object.entries(gateway.plan?.services ?? {}).sort(([a], [b]) => a.localeCompare(b));
  const services = planned.slice(0, MOST_SERVICES).map(
    ([name, { ingress, pool, eligibleNodes, conditions }]): ServiceOverview => ({
      name,
      ingress,
      pool,
      announcers: eligibleNodes,
      owners: owners.flatMap((one) => (one.services.includes(name) && one.owner !== null ? [one.owner] : [])),
      trouble: conditions.filter((one) => one.status === "False").map(({ message }) => message),
      lastMove: gateway.moves.byService.get(name) ?? null,
      vips: vips.get(name) ?? [],
    }),
  );
  return {
    ...{ time: Date.now(), status, services, moreServices: planned.length - services.length },
    pools: Object.fromEntries(
      Object.entries(gateway.plan?.pools ?? {}).map(([name, { total, available, used, conflict }]) => [
        name,
        { total, available, used, conflict },
      ]),
    ),
    ...{ owners, members, policies: gateway.datapath.policies.status() },
  };
}
