/**
 * `POST /v1/plan?mode=apply|delete`: what would change by the manifests in the body (YAML or JSON). It is answered where
 * everything else is only read, for it changes nothing: see agent/plan-trials.ts.
 *
 * The body's type has to be said: no page of somebody else can make a browser send that type here without asking first, and
 * it is not answered when it asks.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type PlanTrial, TRIAL_MODES, type TrialMode } from "../agent/plan-trial.ts";

export const PLAN_PATH = "/v1/plan";
const TYPES = ["application/yaml", "application/json"];
const LONGEST_BYTES = 256 << 10;

export async function answerPlan(
  tryPlan: (text: string, mode: TrialMode) => Promise<PlanTrial>,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = (status: number, value: unknown) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  const type = request.headers["content-type"]?.split(";")[0]?.trim() ?? "";
  if (!TYPES.includes(type)) return answer(415, { error: `content-type ${type}: one of ${TYPES.join(", ")} expected` });
  const mode = TRIAL_MODES.find((one) => one === (url.searchParams.get("mode") ?? "apply"));
  if (mode === undefined) return answer(400, { error: `mode: one of ${TRIAL_MODES.join(", ")} expected` });
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    // What comes after it is read and forgotten, so that the answer arrives.
    if (bytes <= LONGEST_BYTES) parts.push(part);
  }
  if (bytes > LONGEST_BYTES) {
    return answer(413, { error: `at most ${LONGEST_BYTES >> 10} kB; \`sluice plan --against\` has no such limit` });
  }
  try {
    return answer(200, await tryPlan(Buffer.concat(parts).toString("utf8"), mode));
  } catch (error) {
    return answer(503, { error: (error as Error).message });
  }
}
