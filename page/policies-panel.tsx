/** Policy modules: what is in force, and what they have answered. */
import type { PolicyStatus } from "../src/agent/node-policies.ts";
import { Mark, Panel } from "./panel.tsx";
import { Table } from "./table.tsx";
import { amount } from "./words.ts";

export function PoliciesPanel({ policies }: { policies: readonly PolicyStatus[] }) {
  return (
    <Panel id="policies" title="Policies">
      <Table
        caption="Policy modules and their answers"
        columns={[
          "Policy",
          "State",
          { name: "Asked", isNumber: true },
          { name: "Denied", isNumber: true },
          { name: "Mean time", isNumber: true },
        ]}
        empty="No policy module is configured."
        rows={policies.map(({ name, version, stats, problem, lastError }) => ({
          key: name,
          cells: [
            <>
              {name} <span class="quiet">{version}</span>
            </>,
            <>
              {stats.off === 1 ? (
                <Mark mood="bad">switched off</Mark>
              ) : version !== null ? (
                <Mark mood="good">in force</Mark>
              ) : problem === null ? (
                "begins"
              ) : (
                <Mark mood="bad">not loaded</Mark>
              )}
              {[problem, lastError].map((words) =>
                words === null ? null : (
                  <p class="remedy" key={words}>
                    {words}
                  </p>
                ),
              )}
            </>,
            amount(stats.asked),
            amount(stats.denied),
            stats.timed === 0 ? "" : `${(stats.nanoseconds / stats.timed / 1000).toFixed(1)} µs`,
          ],
        }))}
      />
    </Panel>
  );
}
