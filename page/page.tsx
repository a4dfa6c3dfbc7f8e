/**
 * The status page: what this gateway does and what it knows of the others, while it happens. It only reads. Everything on
 * it comes from `GET /v1/watch`; the forms and the live frames ask for more when somebody wants it.
 */
import { render } from "preact";
import { useState } from "preact/hooks";
import { DatapathPanel } from "./datapath-panel.tsx";
import { ExplainPanel } from "./explain-panel.tsx";
import { FleetPanel } from "./fleet-panel.tsx";
import { type Live, useLive } from "./live.ts";
import { Mark, Panel } from "./panel.tsx";
import { PlanPanel } from "./plan-panel.tsx";
import { PoliciesPanel } from "./policies-panel.tsx";
import { LinksPanel, PeersPanel, PoolsPanel } from "./routing-panels.tsx";
import { ServicesPanel } from "./services-panel.tsx";
import { type Theme, ThemeChoice, useTheme } from "./theme.tsx";
import { TimelinePanel } from "./timeline-panel.tsx";
import { TracePanel } from "./trace-panel.tsx";
import { TrafficChart } from "./traffic-chart.tsx";
import { amount, duration } from "./words.ts";

const PARTS = [
  ["fleet", "Nodes"],
  ["traffic", "Traffic"],
  ["services", "Services"],
  ["peers", "BGP"],
  ["links", "Links"],
  ["pools", "Pools"],
  ["policies", "Policies"],
  ["datapath", "Datapath"],
  ["timeline", "Timeline"],
  ["explain", "Explain"],
  ["plan", "Plan"],
  ["trace", "Live frames"],
] as const;

function Page() {
  const live = useLive();
  const [theme, setTheme] = useTheme();
  const [asked, setAsked] = useState<{ service: string; time: number } | null>(null);
  const explain = (service: string) => setAsked({ service, time: Date.now() });
  return (
    <>
      <a class="for-readers" href="#traffic">
        To the content
      </a>
      <Header live={live} theme={theme} setTheme={setTheme} />
      {live.overview === null ? (
        <p class="waiting">Waiting for the gateway…</p>
      ) : (
        <main>
          {live.fleet === null ? null : <FleetPanel fleet={live.fleet} rates={live.fleetRates} explain={explain} />}
          <Traffic live={live} theme={theme} />
          <ServicesPanel
            services={live.overview.services}
            more={live.overview.moreServices}
            rates={live.rates}
            fleet={live.fleet}
            fleetRates={live.fleetRates}
            explain={explain}
          />
          <div class="halves">
            <PeersPanel peers={live.overview.status.bgp} now={live.overview.time} />
            <LinksPanel owners={live.overview.owners} members={live.overview.members} />
          </div>
          <div class="halves">
            <DatapathPanel status={live.overview.status} rates={live.rates} />
            <div>
              <PoolsPanel pools={live.overview.pools} />
              <PoliciesPanel policies={live.overview.policies} />
              <TimelinePanel entries={live.timeline} />
            </div>
          </div>
          <ExplainPanel asked={asked} />
          <PlanPanel />
          <TracePanel />
        </main>
      )}
    </>
  );
}

function Header({ live, theme, setTheme }: { live: Live; theme: Theme; setTheme(theme: Theme): void }) {
  const status = live.overview?.status;
  return (
    <header class="top">
      <h1>
        <span class="brand">Sluice</span> {status?.node}
      </h1>
      <p role="status">
        {live.connected ? <Mark mood="good">live</Mark> : <Mark mood="bad">no connection</Mark>}
        {status === undefined ? null : <span class="quiet"> up {duration(status.uptimeSeconds)}</span>}
        {status === undefined || status.drain === "serving" ? null : (
          <Mark mood="odd">drained: routes {status.drain}</Mark>
        )}
      </p>
      <nav aria-label="Parts of this page">
        {PARTS.map(([id, name]) => (
          <a key={id} href={`#${id}`}>
            {name}
          </a>
        ))}
      </nav>
      <ThemeChoice theme={theme} setTheme={setTheme} />
    </header>
  );
}

function Traffic({ live, theme }: { live: Live; theme: Theme }) {
  const { status, services } = live.overview!;
  const up = status.bgp.filter(({ state }) => state === "Established").length;
  const without = services.filter(({ ingress }) => ingress.length === 0).length;
  const { rates } = live;
  return (
    <Panel id="traffic" title="Traffic" aside="of this node, frames a second">
      <dl class="tiles">
        <Tile
          name="Services"
          value={String(services.length + live.overview!.moreServices)}
          note={without === 0 ? "" : `${without} without an address`}
          isBad={without > 0}
        />
        <Tile name="BGP sessions up" value={`${up} of ${status.bgp.length}`} isBad={up < status.bgp.length} />
        <Tile
          name="Live flows"
          value={amount(status.datapath.flows.live)}
          note={`room for ${amount(status.datapath.flows.rows / 2)}`}
        />
        <Tile name="New flows" value={rates === null ? "–" : `${amount(rates.flowsOpened)}/s`} />
        <Tile name="Frames in" value={rates === null ? "–" : `${amount(rates.received)}/s`} />
        <Tile
          name="Dropped"
          value={rates === null ? "–" : `${amount(rates.stopped)}/s`}
          isBad={rates !== null && rates.stopped >= 1}
        />
      </dl>
      <TrafficChart points={live.points} theme={theme} />
      {status.config.problems.map(({ object, field, message }) => (
        <p key={object + field + message} class="remedy">
          <Mark mood="bad">configuration</Mark> {object} {field}: {message}
        </p>
      ))}
    </Panel>
  );
}

function Tile({
  name,
  value,
  note = "",
  isBad = false,
}: {
  name: string;
  value: string;
  note?: string;
  isBad?: boolean;
}) {
  return (
    <div class={isBad ? "tile bad" : "tile"}>
      <dt>{name}</dt>
      <dd>
        {value} {note === "" ? null : <span class="quiet">{note}</span>}
      </dd>
    </div>
  );
}

render(<Page />, document.getElementById("page")!);
