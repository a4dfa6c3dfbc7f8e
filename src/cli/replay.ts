/** `sluice replay`: one line of JSON in, one out. A scenario that can't be run gives `{"id","error"}`. */
import { scenarioPolicies } from "../policy-host/scenario-policies.ts";
import { replay } from "../replay/replay.ts";
import { parseScenario } from "../replay/scenario.ts";

/** @param where `file:line`, where relative paths of policy modules begin. */
export async function replayLine(line: string, where: string): Promise<string> {
  let id: unknown = null;
  try {
    const value = parseLine(line, where);
    id = (value as { id?: unknown } | null)?.id ?? null;
    const scenario = parseScenario(value);
    return JSON.stringify(replay(scenario, undefined, await scenarioPolicies(scenario.policies, where)));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return JSON.stringify({ id, error: error.message });
  }
}

function parseLine(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new Error(`${where}: a scenario as one line of JSON expected: ${(cause as Error).message}`, { cause });
  }
}
