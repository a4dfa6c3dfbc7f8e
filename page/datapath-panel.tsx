/** The datapath of this node: its ports, who forwards, and why frames were not forwarded. */
import type { Overview } from "../src/agent/overview.ts";
import { Mark, Panel } from "./panel.tsx";
import type { Rates } from "./rates.ts";
import { Table } from "./table.tsx";
import { amount, clock } from "./words.ts";

export function DatapathPanel({ status, rates }: { status: Overview["status"]; rates: Rates | null }) {
  const { mode, epoch, ports, workers, reasons, xdp, totals, offloads, opening, synCookies } = status.datapath;
  const dead = workers.filter(({ alive }) => !alive).length;
  const stalled = workers.filter(({ stalledSeconds }) => stalledSeconds > 0).length;
  const byKernel = xdp.forward + xdp.egressForward;
  const share = byKernel + totals.transmitted === 0 ? null : byKernel / (byKernel + totals.transmitted);
  return (
    <Panel id="datapath" title="Datapath" aside={`${mode}, epoch ${epoch}`}>
      <p>
        {workers.length} worker{workers.length === 1 ? "" : "s"}
        {dead === 0 ? null : <Mark mood="bad">{dead} dead</Mark>}
        {stalled === 0 ? null : <Mark mood="bad">{stalled} stalled</Mark>}
        {share === null ? "" : `; the kernel has forwarded ${Math.round(share * 100)} % of all frames`}.
      </p>
      <p>
        New flows are opened by{" "}
        <Mark mood={opening.by === "workers" || mode === "kernel" ? "good" : "odd"}>
          {opening.by === "workers" ? "the workers" : "the kernel"}
        </Mark>
        <span class="quiet">
          since {clock(Date.parse(opening.since))}: {opening.why}
        </span>
      </p>
      <p>
        SYN cookies are{" "}
        <Mark mood={synCookies.on ? "odd" : "good"}>{synCookies.on ? "asked for" : "not asked for"}</Mark>
        {synCookies.on ? (
          <span class="quiet">
            {" "}
            since {clock(Date.parse(synCookies.since))} by {synCookies.askedBy.join(", ")}: {amount(xdp.challenge)}{" "}
            questions, {amount(xdp.proven)} answers
          </span>
        ) : null}
      </p>
      {offloads.problems.map(({ message }) => (
        <p key={message} class="remedy">
          <Mark mood="bad">interface</Mark> {message}
        </p>
      ))}
      <Table
        caption="Ports of the datapath"
        columns={["Port", "Faces", "XDP", { name: "Queues", isNumber: true }]}
        empty="No port is attached."
        rows={ports.map(({ name, kind, mode: attached, queues }) => ({
          key: name,
          cells: [<code>{name}</code>, kind, attached, String(queues)],
        }))}
      />
      <h3>Not forwarded</h3>
      <Table
        caption="Why frames were not forwarded"
        columns={["Reason", { name: "Frames", isNumber: true }, { name: "a second", isNumber: true }, "Came in by"]}
        empty="Every frame was forwarded."
        rows={Object.entries(reasons)
          .sort(([, a], [, b]) => b - a)
          .map(([reason, count]) => ({
            key: reason,
            cells: [
              <code>{reason}</code>,
              amount(count),
              rates === null ? "" : amount(rates.reasons.get(reason) ?? 0),
              ports
                .filter((port) => port.reasons[reason] !== undefined)
                .map((port) => `${port.name} ${amount(port.reasons[reason]!)}`)
                .join(", "),
            ],
          }))}
      />
    </Panel>
  );
}
