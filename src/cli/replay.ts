/** `sluice replay`: one line of JSON in, one out. A scenario that can't be run gives `{"id","error"}`. */
import { replay } from "../replay/replay.ts";
import { parseScenario, ScenarioError } from "../replay/scenario.ts";

export function replayLine(line: string): string {
  let id: unknown = null;
  try {
    const value: unknown = JSON.parse(line);
    id = (value as { id?: unknown } | null)?.id ?? null;
    return JSON.stringify(replay(parseScenario(value)));
  } catch (error) {
    if (!(error instanceof ScenarioError || error instanceof SyntaxError)) throw error;
    return JSON.stringify({ id, error: error.message });
  }
}
