/**
 * What manifests would change. The gateway makes the plan beside the one in force, from a copy, and throws it away: nothing
 * is applied, here or in the cluster.
 */
import { useState } from "preact/hooks";
import type { PlanTrial } from "../src/agent/plan-trial.ts";
import { post } from "./ask.ts";
import { Mark, Panel } from "./panel.tsx";

export function PlanPanel() {
  const [answer, setAnswer] = useState<PlanTrial | string | null>(null);
  const [isAsking, setAsking] = useState(false);
  const plan = async (form: HTMLFormElement) => {
    const words = new FormData(form);
    setAsking(true);
    const path = `v1/plan?mode=${String(words.get("mode"))}`;
    const found = await post<PlanTrial>(path, String(words.get("text"))).catch(({ message }: Error) => message);
    setAnswer(found);
    setAsking(false);
  };
  return (
    <Panel id="plan" title="Plan" aside="nothing is applied by asking">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void plan(event.currentTarget);
        }}
      >
        <label>
          Manifests, YAML or JSON{" "}
          <textarea
            name="text"
            required
            rows={8}
            spellcheck={false}
            placeholder="apiVersion: v1&#10;kind: Service&#10;…"
          />
        </label>
        <div class="fields">
          <label>
            If they were{" "}
            <select name="mode">
              <option value="apply">applied</option>
              <option value="delete">deleted</option>
            </select>
          </label>
          <button type="submit" disabled={isAsking}>
            {isAsking ? "Planning…" : "What would change?"}
          </button>
        </div>
        <div role="status">
          {answer === null ? null : typeof answer === "string" ? <p>{answer}</p> : <Changes {...answer} />}
        </div>
      </form>
    </Panel>
  );
}

function Changes({ objects, difference, attracting, problems }: PlanTrial) {
  const { addresses, routes, owners, moves } = difference;
  const list = (values: readonly string[]) => values.join(", ") || "none";
  const changes = [
    ...addresses.map((one) => `address of ${one.service}: ${list(one.before)} → ${list(one.after)}`),
    ...attracting.map((one) => `nodes that attract ${one.service}: ${list(one.before)} → ${list(one.after)}`),
    ...routes.map(({ node, peer, prefix, change }) => `route ${prefix} from ${node} to ${peer}: ${change}`),
    ...owners.map((one) => `owner of ${one.address}: ${one.before ?? "nobody"} → ${one.after ?? "nobody"}`),
  ];
  return (
    <div class="answer">
      <p>
        {moves ? (
          <Mark mood="bad">Something that is live would move.</Mark>
        ) : (
          <Mark mood="good">Nothing that is live would move.</Mark>
        )}
      </p>
      {problems.map((problem) => (
        <p key={problem} class="remedy">
          <Mark mood="odd">problem</Mark> {problem}
        </p>
      ))}
      <ul>
        {[...objects, ...changes].map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      {objects.length > 0 && changes.length === 0 ? <p>No address, route or owner would change.</p> : null}
    </div>
  );
}
