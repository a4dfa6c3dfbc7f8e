/** Frames as they happen: begun by a button, for looking costs the gateway something, and held to what a page can show. */
import { useEffect, useState } from "preact/hooks";
import { FRAME_VERDICTS, type FrameEvent, type FrameVerdict } from "../src/trace/frame-event.ts";
import { ask } from "./ask.ts";
import { Mark, type Mood, Panel } from "./panel.tsx";
import { Table } from "./table.tsx";
import { amount, clock } from "./words.ts";

const MOST_FRAMES = 100;
const MOODS: Readonly<Record<FrameVerdict, Mood>> = {
  forwarded: "good",
  answered: "odd",
  held: "odd",
  dropped: "bad",
  passed: "plain",
};

interface Shown {
  readonly number: number;
  readonly event: FrameEvent;
}

export function TracePanel() {
  const [query, setQuery] = useState<string | null>(null);
  const [frames, setFrames] = useState<readonly Shown[]>([]);
  const [lost, setLost] = useState(0);
  const [trouble, setTrouble] = useState<string | null>(null);
  useEffect(() => {
    if (query === null) return;
    setFrames([]);
    setLost(0);
    let number = 0;
    let waiting: Shown[] = [];
    const source = new EventSource(`v1/monitor?${query}`);
    source.onmessage = ({ data }) => {
      const told = JSON.parse(data) as FrameEvent | { lost: number };
      if ("lost" in told) setLost(told.lost);
      else waiting.push({ number: number++, event: told });
    };
    source.onerror = () => {
      // A refusal, whose sentence an EventSource does not give.
      if (source.readyState !== EventSource.CLOSED) return;
      setQuery(null);
      ask("v1/monitor", Object.fromEntries(new URLSearchParams(query))).catch(({ message }: Error) =>
        setTrouble(message),
      );
    };
    // A busy gateway tells more frames than a page can draw one by one.
    const timer = setInterval(() => {
      if (waiting.length === 0) return;
      const come = waiting.reverse();
      waiting = [];
      setFrames((known) => [...come, ...known].slice(0, MOST_FRAMES));
    }, 250);
    return () => {
      source.close();
      clearInterval(timer);
    };
  }, [query]);
  const start = (form: HTMLFormElement) => {
    const words = [...new FormData(form)].map(([name, value]) => [name, String(value)] as [string, string]);
    setTrouble(null);
    setQuery(new URLSearchParams(words.filter(([, value]) => value !== "")).toString());
  };
  return (
    <Panel id="trace" title="Live frames" aside={query === null ? undefined : <Mark mood="good">looking</Mark>}>
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          if (query === null) start(event.currentTarget);
          else setQuery(null);
        }}
      >
        <label>
          Service <input name="service" placeholder="any" />
        </label>
        <label>
          Client <input name="client" placeholder="address or prefix" />
        </label>
        <label>
          Verdict{" "}
          <select name="verdict">
            <option value="">any</option>
            {FRAME_VERDICTS.map((verdict) => (
              <option key={verdict}>{verdict}</option>
            ))}
          </select>
        </label>
        <label>
          Reason <input name="reason" placeholder="such as NoBackend" />
        </label>
        <label>
          Of the kernel's{" "}
          <select name="sample">
            <option value="64">one of 64</option>
            <option value="1">all</option>
            <option value="1024">one of 1024</option>
            <option value="0">none</option>
          </select>
        </label>
        <button type="submit">{query === null ? "Look" : "Stop"}</button>
      </form>
      {trouble === null ? null : (
        <p class="remedy" role="alert">
          {trouble}
        </p>
      )}
      {lost === 0 ? null : <p class="remedy">{amount(lost)} frames found no room and are not shown.</p>}
      <Table
        caption="Frames, newest first"
        columns={["Time", "In", "Frame", "Verdict", "Service, backend"]}
        empty={query === null ? "Nobody looks." : "No frame yet that fits."}
        rows={frames.map(({ number, event }) => ({ key: String(number), cells: cellsOf(event) }))}
      />
    </Panel>
  );
}

function cellsOf(event: FrameEvent) {
  const { time, port, by, protocol, flags, source, destination, verdict, reason, leavesBy, service, backend, policy } =
    event;
  return [
    <time dateTime={new Date(time).toISOString()}>{clock(time)}</time>,
    <code>{port ?? "–"}</code>,
    <>
      {protocol} {flags} <code>{`${source} > ${destination}`}</code>
    </>,
    <>
      <Mark mood={MOODS[verdict]}>{verdict}</Mark> {leavesBy === null ? null : <code>{leavesBy}</code>} {reason}
      {by === "kernel" ? <span class="quiet"> in the kernel</span> : null}
    </>,
    <>
      {service} {backend === null ? null : <code>{backend}</code>}
      {policy === null ? null : (
        <span class="quiet">
          {" "}
          {policy.policy}
          {policy.answer === null ? "" : `: ${policy.answer}`}
          {policy.reason === null ? "" : ` (${policy.reason})`}
        </span>
      )}
    </>,
  ];
}
