/**
 * All nodes, a line each; the one that is chosen with its ports, sessions and what it did not forward. What is wrong with a
 * Service at every node stands above them.
 */
import { useState } from "preact/hooks";
import type { BareService } from "../src/fleet/bare-services.ts";
import type { FleetMember, FleetStatus } from "../src/fleet/fleet.ts";
import type { NodeReport } from "../src/fleet/node-report.ts";
import type { FleetRates } from "./fleet-rates.ts";
import { Mark, Panel } from "./panel.tsx";
import { Table } from "./table.tsx";
import { amount, duration } from "./words.ts";

const COLUMNS = [
  "Node",
  "State",
  "BGP sessions",
  "Datapath",
  { name: "Live flows", isNumber: true },
  { name: "Frames/s", isNumber: true },
  { name: "Dropped/s", isNumber: true },
] as const;

/** A line for each above so many would push the nodes off the screen. */
const MOST_BARE = 8;

interface FleetProps {
  readonly fleet: FleetStatus;
  readonly rates: FleetRates | null;
  explain(service: string): void;
}

export function FleetPanel({ fleet, rates, explain }: FleetProps) {
  const [chosen, choose] = useState<string | null>(null);
  const shown = fleet.members.find(({ node }) => node === chosen);
  const answering = fleet.members.filter(({ report }) => report !== null).length;
  return (
    <Panel
      id="fleet"
      title="Nodes"
      aside={fleet.asksOthers ? `${answering} of ${fleet.members.length} answer` : "only this one: others with --fleet"}
    >
      <BareServices bare={fleet.bare} explain={explain} />
      <Table
        caption="All nodes with their state and traffic"
        columns={COLUMNS}
        empty="No node is known."
        rows={fleet.members.map((member) => ({
          key: member.node,
          cells: [
            <button
              type="button"
              class="link"
              aria-expanded={chosen === member.node}
              onClick={() => choose(chosen === member.node ? null : member.node)}
            >
              {member.node}
            </button>,
            ...cellsOf(member, rates),
          ],
        }))}
      />
      {fleet.moreNodes === 0 ? null : <p class="empty">{fleet.moreNodes} more nodes were not asked.</p>}
      <div role="status">{shown === undefined ? null : <NodeDetails member={shown} />}</div>
    </Panel>
  );
}

function BareServices({ bare, explain }: { bare: readonly BareService[]; explain(service: string): void }) {
  return (
    <div role="status">
      {bare.length === 0 ? null : (
        <p class="bare">
          <Mark mood="bad">
            {bare.length === 1 ? "1 Service without backends" : `${bare.length} Services without backends`}
          </Mark>
          {bare.slice(0, MOST_BARE).map(({ name, vips }) => (
            <span key={name}>
              <button type="button" class="link" onClick={() => explain(name)} title="Explain this Service">
                {name}
              </button>{" "}
              <code>{vips.join(" ")}</code>{" "}
            </span>
          ))}
          {bare.length > MOST_BARE ? `and ${bare.length - MOST_BARE} more` : null}
        </p>
      )}
    </div>
  );
}

function cellsOf({ node, report, trouble }: FleetMember, rates: FleetRates | null) {
  if (report === null) {
    const words = (
      <>
        <Mark mood="bad">no answer</Mark>
        <p class="remedy">{trouble}</p>
      </>
    );
    return [words, "", "", "", "", ""];
  }
  const rate = (of: ReadonlyMap<string, number> | undefined) => {
    const value = of?.get(node);
    return value === undefined ? "–" : amount(value);
  };
  return [
    <NodeState report={report} />,
    <Sessions report={report} />,
    <>
      {report.mode}
      {report.openedBy === "kernel" && report.mode !== "kernel" ? (
        <Mark mood="odd">new flows by the kernel</Mark>
      ) : null}
    </>,
    amount(report.liveFlows),
    rate(rates?.forwarded),
    rate(rates?.dropped),
  ];
}

function NodeState({ report }: { report: NodeReport }) {
  const { drain, deadWorkers, problems, uptimeSeconds } = report;
  return (
    <>
      {drain === "serving" ? <Mark mood="good">serving</Mark> : <Mark mood="odd">drained: routes {drain}</Mark>}
      {deadWorkers === 0 ? null : (
        <Mark mood="bad">{deadWorkers === 1 ? "1 dead worker" : `${deadWorkers} dead workers`}</Mark>
      )}
      {problems.length === 0 ? null : (
        <Mark mood="bad">{problems.length === 1 ? "1 problem" : `${problems.length} problems`}</Mark>
      )}
      <span class="quiet">up {duration(uptimeSeconds)}</span>
    </>
  );
}

function Sessions({ report: { sessions } }: { report: NodeReport }) {
  if (sessions.length === 0) return <span class="quiet">none</span>;
  const up = sessions.filter(({ state }) => state === "Established").length;
  return <Mark mood={up === sessions.length ? "good" : "bad"}>{`${up} of ${sessions.length} up`}</Mark>;
}

function NodeDetails({ member: { node, report, trouble } }: { member: FleetMember }) {
  if (report === null) {
    return (
      <div class="answer">
        <p>
          {node}: {trouble}.
        </p>
      </div>
    );
  }
  const { ports, sessions, problems, reasons, epoch } = report;
  return (
    <div class="answer">
      <p>
        <strong>{node}</strong>, epoch {epoch}:{" "}
        {ports.map((port) => `${port.name} (${port.kind}, ${port.mode})`).join(", ")}
      </p>
      {problems.map((problem) => (
        <p key={problem} class="remedy">
          {problem}
        </p>
      ))}
      <ul>
        {sessions.map(({ name, address, asn, state, lastError }) => (
          <li key={`${name} ${address}`}>
            BGP to {name} (AS {asn}): {state}
            {state === "Established" || lastError === null ? "" : `, ${lastError}`}
          </li>
        ))}
        {Object.entries(reasons)
          .sort(([, a], [, b]) => b - a)
          .map(([reason, count]) => (
            <li key={reason}>
              not forwarded, <code>{reason}</code>: {amount(count)}
            </li>
          ))}
      </ul>
    </div>
  );
}
