/** Services: where their addresses come from, who announces them, and what this node forwards of them. */
import { useState } from "preact/hooks";
import type { ServiceOverview } from "../src/agent/overview.ts";
import type { ServiceMove } from "../src/agent/service-moves.ts";
import type { FleetStatus } from "../src/fleet/fleet.ts";
import type { FleetRates } from "./fleet-rates.ts";
import { Mark, Panel } from "./panel.tsx";
import type { Rates } from "./rates.ts";
import { Table } from "./table.tsx";
import { amount, clock } from "./words.ts";

const COLUMNS = [
  "Service",
  "Addresses",
  "Pool",
  "Announced by",
  { name: "Backends", isNumber: true },
  { name: "Frames/s", isNumber: true },
  { name: "Flows opened", isNumber: true },
  "Last move",
] as const;

interface ServicesProps {
  readonly services: readonly ServiceOverview[];
  readonly more: number;
  readonly rates: Rates | null;
  readonly fleet: FleetStatus | null;
  readonly fleetRates: FleetRates | null;
  explain(service: string): void;
}

export function ServicesPanel({ services, more, rates, fleet, fleetRates, explain }: ServicesProps) {
  const [wanted, want] = useState("");
  const shown = services.filter(({ name, ingress }) => [name, ...ingress].some((word) => word.includes(wanted.trim())));
  const whose = fleet?.asksOthers === true ? "traffic of all nodes that answer" : "traffic of this node";
  const aside = more === 0 ? whose : `${whose}; ${more} more: \`sluice services\``;
  return (
    <Panel id="services" title="Services" aside={aside}>
      {services.length < 8 ? null : (
        <label class="search">
          Find{" "}
          <input
            type="search"
            value={wanted}
            onInput={({ currentTarget }) => want(currentTarget.value)}
            placeholder="name or address"
          />
        </label>
      )}
      <Table
        caption="Services with addresses, announcers and traffic"
        columns={COLUMNS}
        empty={
          services.length === 0
            ? "No Service of type LoadBalancer is known."
            : "No Service has that in its name or address."
        }
        rows={shown.map((service) => ({
          key: service.name,
          cells: [
            <button type="button" class="link" onClick={() => explain(service.name)} title="Explain this Service">
              {service.name}
            </button>,
            <Addresses service={service} />,
            service.pool ?? "",
            <Announcers service={service} />,
            <Backends service={service} />,
            frameRate(service, rates, fleet, fleetRates),
            amount(flowsOpened(service, fleet)),
            <LastMove move={lastMove(service, fleet)} />,
          ],
        }))}
      />
    </Panel>
  );
}

function Addresses({ service: { ingress, vips, trouble } }: { service: ServiceOverview }) {
  if (ingress.length === 0) return <Mark mood="bad">{trouble[0] ?? "no address"}</Mark>;
  const ports = [...new Set(vips.map(({ vip }) => vip.slice(vip.lastIndexOf(":") + 1)))];
  return (
    <>
      <code>{ingress.join(" ")}</code> <span class="quiet">{ports.join(" ")}</span>
      {trouble.map((one) => (
        <Mark key={one} mood="odd">
          {one}
        </Mark>
      ))}
    </>
  );
}

/** Of the port that has most of them that take new flows. */
function Backends({ service: { vips } }: { service: ServiceOverview }) {
  if (vips.length === 0) return null;
  const most = Math.max(...vips.map(({ backends }) => backends.length));
  if (most > 0) return most;
  const draining = Math.max(...vips.map((vip) => vip.draining.length));
  return <Mark mood="bad">{draining === 0 ? "none" : `none, ${draining} draining`}</Mark>;
}

function Announcers({ service: { announcers, owners } }: { service: ServiceOverview }) {
  if (announcers.length === 0 && owners.length === 0) return <Mark mood="odd">nobody</Mark>;
  const onLink = owners.length === 0 ? "" : ` (on the link: ${owners.join(", ")})`;
  return <>{(announcers.length > 4 ? `${announcers.length} nodes` : announcers.join(", ")) + onLink}</>;
}

/** Over all nodes that answer, where they are asked; else of this node. */
function frameRate(
  { name, vips }: ServiceOverview,
  own: Rates | null,
  fleet: FleetStatus | null,
  all: FleetRates | null,
): string {
  if (fleet?.asksOthers === true) return all === null ? "" : amount(all.services.get(name) ?? 0);
  return own === null ? "" : amount(sum(vips.map(({ vip }) => own.vips.get(vip) ?? 0)));
}

function flowsOpened({ name, vips }: ServiceOverview, fleet: FleetStatus | null): number {
  if (fleet?.asksOthers !== true) return sum(vips.map((vip) => vip.flowsOpened));
  return sum(fleet.members.map(({ report }) => report?.services[name]?.flowsOpened ?? 0));
}

/** Each node tells of its own part. */
function lastMove({ name, lastMove: own }: ServiceOverview, fleet: FleetStatus | null): ServiceMove | null {
  const told = [own, ...(fleet?.members ?? []).map(({ report }) => report?.moves[name] ?? null)];
  return told.reduce((last, one) => (one !== null && (last === null || one.time > last.time) ? one : last), null);
}

function LastMove({ move }: { move: ServiceMove | null }) {
  if (move === null) return <span class="quiet">none seen</span>;
  return (
    <>
      <time dateTime={new Date(move.time).toISOString()}>{clock(move.time)}</time>{" "}
      <span class="quiet">{move.what}</span>
    </>
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
