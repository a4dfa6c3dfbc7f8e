/** Frames a second over the last two minutes: what came in, what went on, what was dropped. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Point } from "./live.ts";
import { amount, clock } from "./words.ts";

const HEIGHT = 200;
const SERIES = [
  { label: "in", colour: "--line-1", pick: ({ rates }: Point) => rates.received },
  { label: "forwarded", colour: "--line-2", pick: ({ rates }: Point) => rates.forwarded },
  { label: "dropped", colour: "--line-3", pick: ({ rates }: Point) => rates.stopped },
];

/** @param theme drawn anew when it changes: a canvas does not know style sheets. */
export function TrafficChart({ points, theme }: { points: readonly Point[]; theme: string }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const system = useSystemScheme();
  // Anew with each theme, for the colours come from there.
  useEffect(() => {
    const element = place.current!;
    const made = new uPlot(options(element), columns(points), element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [theme, system]);
  useEffect(() => plot.current?.setData(columns(points)), [points]);
  const last = points.at(-1);
  const words =
    last === undefined
      ? "no traffic yet"
      : SERIES.map(({ label, pick }) => `${label} ${amount(pick(last))}`).join(", ");
  return <div class="chart" ref={place} role="img" aria-label={`Frames a second over two minutes: ${words}`} />;
}

/** The system may turn dark in the evening. */
function useSystemScheme(): boolean {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const [isDark, setDark] = useState(dark.matches);
  useEffect(() => {
    const changed = () => setDark(dark.matches);
    dark.addEventListener("change", changed);
    return () => dark.removeEventListener("change", changed);
  }, []);
  return isDark;
}

function columns(points: readonly Point[]): uPlot.AlignedData {
  return [points.map(({ time }) => time), ...SERIES.map(({ pick }) => points.map(pick))] as uPlot.AlignedData;
}

function options(element: HTMLElement): uPlot.Options {
  // A variable's own value is still `light-dark(...)`; as somebody's colour it is the one that is in force.
  const colour = (name: string) => {
    element.style.color = `var(${name})`;
    const { color } = getComputedStyle(element);
    element.style.removeProperty("color");
    return color;
  };
  const axis = {
    stroke: colour("--quiet"),
    grid: { stroke: colour("--rule"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui",
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    cursor: { y: false },
    scales: { y: { range: (_plot, _least, most) => [0, Math.max(10, most * 1.1)] } },
    axes: [
      { ...axis, space: 90, values: (_plot, values) => values.map((time) => clock(time * 1000)) },
      { ...axis, size: 60, values: (_plot, values) => values.map(amount) },
    ],
    series: [
      { label: "time", value: (_plot, time) => (time == null ? "" : clock(time * 1000)) },
      ...SERIES.map(({ label, colour: name }, at) => ({
        label,
        stroke: colour(name),
        width: 2,
        points: { show: false },
        value: (_plot: uPlot, value: number | null) => (value === null ? "" : `${amount(value)}/s`),
        ...(at === 0 ? { fill: colour(name).replace(/^rgb\((.*)\)$/, "rgb($1, 0.12)") } : {}),
      })),
    ],
  };
}
