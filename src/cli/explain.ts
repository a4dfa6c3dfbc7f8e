/** `sluice explain service`: from manifests (`-f`) or from the running process, for people or as JSON. */
import { ask } from "../api/client.ts";
import { loadManifests } from "../config/load-manifests.ts";
import { explainService, type ServiceExplanation, type SessionTrouble } from "../control/explain-service.ts";
import { plan } from "../control/plan.ts";
import { wrapText } from "./text-table.ts";

interface ExplainOptions {
  /** `namespace/name`; a bare name is of the namespace `default`. */
  readonly service: string;
  /** Manifests to explain; empty asks the running process. */
  readonly paths: readonly string[];
  readonly socket: string;
  readonly output: "json" | "table";
}

const LINE_WIDTH = 100;

export async function runExplain({ service, paths, socket, output }: ExplainOptions): Promise<string> {
  const key = service.includes("/") ? service : `default/${service}`;
  const explanation =
    paths.length === 0
      ? await ask<ServiceExplanation | null>(socket, `/v1/explain/service?name=${encodeURIComponent(key)}`)
      : await fromManifests(paths, key);
  if (explanation === null) throw new Error(`there is no Service ${key}`);
  return output === "json" ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation);
}

async function fromManifests(paths: readonly string[], key: string): Promise<ServiceExplanation | null> {
  const { intent } = await loadManifests(paths);
  return explainService(intent, plan(intent), key);
}

export function explanationText(explanation: ServiceExplanation): string {
  const { service, source, ingress, pool, because, forwarding, pools, backends, nodes } = explanation;
  const lines = [
    `${service}: ${ingress.join(", ") || "no address"}${pool === null ? "" : ` from pool ${pool}`}`,
    `Its address comes from ${source}.`,
    ...because,
    ...Object.entries(forwarding).map(([protocol, how]) => `${protocol}: ${how}.`),
    `Endpoints: ${backends.ready} ready, ${backends.serving} finishing, ${backends.draining} draining.`,
    ...Object.entries(pools).map(([name, why]) => `Pool ${name}: ${why ?? "serves it"}.`),
    ...Object.entries(nodes).flatMap(([node, { notEligible, sessions, links }]) => [
      `Node ${node}: ${notEligible ?? "may attract its traffic"}.`,
      ...sessions.flatMap(({ peer, routes, because: why, trouble }) =>
        why === null
          ? [
              ...routes.map(({ prefix, nextHop, communities }) => {
                const tags = communities.length === 0 ? "" : `, communities ${communities.join(" ")}`;
                return `  to ${peer}: ${prefix} by ${nextHop}${tags}; which node gets the traffic, the router decides`;
              }),
              ...(trouble === null ? [] : [`  ${troubleText(peer, trouble)}`]),
            ]
          : [`  to ${peer}: nothing, because ${why}`],
      ),
      ...links.map(({ address, interfaces, because: why }) =>
        why === null
          ? `  answers for ${address} on ${interfaces.join(", ")}`
          : `  not for ${address} on a link: ${why}`,
      ),
    ]),
  ];
  return `${lines.flatMap((line) => wrapText(line, LINE_WIDTH)).join("\n")}\n`;
}

function troubleText(peer: string, { state, since, why, hint }: SessionTrouble): string {
  const reason = why === null ? "" : `: ${why}`;
  return `${peer} has not heard of it: its session is down since ${since} (${state})${reason}${hint === null ? "" : `. Hint: ${hint}`}`;
}
