/** A picture of a benchmark for the README: horizontal bars, as SVG, readable on light and on dark paper. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { median } from "../results.ts";

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** The spread, drawn as a line through the bar's end. */
  readonly min: number;
  readonly max: number;
  /** Ours is filled, what it is compared with is not so dark. */
  readonly isOurs: boolean;
}

export function bar(label: string, values: readonly number[], isOurs: boolean): Bar {
  return { label, value: median(values), min: Math.min(...values), max: Math.max(...values), isOurs };
}

export interface Picture {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 760;
const LEAST_LABEL = 230;
/** A wide letter of this size. */
const LETTER = 7;
const VALUE = 90;
const ROW = 26;
const TOP = 44;

/** Writes bench/results/NAME.svg. */
export function drawPicture(name: string, { title, unit, bars }: Picture): void {
  const longest = Math.max(...bars.map(({ value, max }) => Math.max(value, max)));
  const labelWidth = Math.max(LEAST_LABEL, ...bars.map(({ label }) => label.length * LETTER + 20));
  const scale = (WIDTH - labelWidth - VALUE) / longest;
  const rows = bars.map(({ label, value, min, max, isOurs }, index) => {
    const y = TOP + index * ROW;
    const x = (of: number) => (labelWidth + of * scale).toFixed(1);
    return `  <text x="${labelWidth - 10}" y="${y + 14}" text-anchor="end">${escaped(label)}</text>
  <rect x="${labelWidth}" y="${y}" width="${(value * scale).toFixed(1)}" height="18" rx="2" fill="${isOurs ? "#2b6cb0" : "#8a94a6"}"/>
  <line x1="${x(min)}" x2="${x(max)}" y1="${y + 9}" y2="${y + 9}" stroke="#d69e2e" stroke-width="2"/>
  <text x="${(Number(x(Math.max(value, max))) + 8).toFixed(1)}" y="${y + 14}">${figure(value)}</text>`;
  });
  const height = TOP + bars.length * ROW + 12;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13" fill="#718096">
  <text x="10" y="22" font-size="15" font-weight="bold">${escaped(title)}</text>
  <text x="${WIDTH - 10}" y="22" text-anchor="end">${escaped(unit)}</text>
${rows.join("\n")}
</svg>
`;
  const folder = join(import.meta.dirname, "..", "results");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.svg`), svg);
  console.log(`picture: bench/results/${name}.svg`);
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
