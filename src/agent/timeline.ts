/**
 * What has happened lately: the lines of the log, which has one for each change of state, kept for those who look at the
 * status page. The newest few hundred; older ones are in the log.
 */

const MOST_ENTRIES = 300;
const LEVELS: ReadonlyMap<number, TimelineEntry["level"]> = new Map([
  [30, "info"],
  [40, "warning"],
  [50, "error"],
  [60, "error"],
]);
/** Of every line, and said elsewhere. */
const COMMON_FIELDS = ["level", "time", "node", "msg", "pid", "hostname"];

export interface TimelineEntry {
  /** Grows by one with each. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly level: "info" | "warning" | "error";
  readonly message: string;
  /** What the line says beside its message: `peer tor1, to Established`. */
  readonly details: string;
}

export class Timeline {
  readonly #entries: TimelineEntry[] = [];
  readonly #listeners = new Set<(entry: TimelineEntry) => void>();
  #next = 1;

  /** As a stream of the logger: one line of JSON. */
  write(line: string): void {
    const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
    const known = LEVELS.get(Number(level));
    if (known === undefined) return;
    const entry: TimelineEntry = {
      number: this.#next++,
      time: Number(time),
      level: known,
      message: String(msg ?? ""),
      details: detailsOf(fields),
    };
    this.#entries.push(entry);
    if (this.#entries.length > MOST_ENTRIES) this.#entries.shift();
    for (const listener of this.#listeners) listener(entry);
  }

  /** Oldest first. */
  get entries(): readonly TimelineEntry[] {
    return this.#entries;
  }

  onEntry(listener: (entry: TimelineEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

function detailsOf(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .filter(([name]) => !COMMON_FIELDS.includes(name))
    .map(([name, value]) => `${name} ${wordOf(value)}`)
    .join(", ");
}

function wordOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return value.map(wordOf).join(" ");
  const { message, name } = value as { message?: unknown; name?: unknown };
  const word = message ?? name;
  return typeof word === "string" ? word : JSON.stringify(value);
}
