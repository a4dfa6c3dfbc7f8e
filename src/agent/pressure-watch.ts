/**
 * Tells the operator when flows are refused for want of room: source ports, rows of the flow table, fragments. The workers
 * count; this looks at their counters now and then and says once a minute what has become of each.
 */
import type { Logger } from "pino";
import { type Counters, FLOWS_EVICTED } from "../dataplane/counters.ts";
import { DropReason } from "../dataplane/drop-reason.ts";

const LOOK_MILLISECONDS = 5000;
/** Looks between two words about the same. */
const QUIET_LOOKS = 12;

interface Pressure {
  readonly of: (counters: Counters) => number;
  readonly message: string;
}

const PRESSURES: readonly Pressure[] = [
  {
    of: ({ reasons }) => reasons[DropReason.SourcePortsExhausted]!,
    message: "new flows are refused: every source port towards their backend is in use; more backends have more ports",
  },
  {
    of: ({ reasons }) => reasons[DropReason.FlowTableFull]!,
    message: "new flows are refused: the flow table is full; `--flows` makes it larger",
  },
  {
    of: ({ totals }) => totals[FLOWS_EVICTED]!,
    message: "flows that nobody had answered were ended early to make room: a flood, or `--flows` is too small",
  },
  {
    of: ({ reasons }) => reasons[DropReason.FragmentTableFull]!,
    message: "fragmented packets are lost: more of them are under way than are followed",
  },
];

export class PressureWatch {
  readonly #read: () => Counters;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  readonly #told = new Map<Pressure, { count: number; look: number }>();
  #looks = 0;

  constructor(read: () => Counters, log: Logger) {
    this.#read = read;
    this.#log = log;
    this.#timer = setInterval(() => this.look(), LOOK_MILLISECONDS).unref();
  }

  look(): void {
    this.#looks++;
    const counters = this.#read();
    for (const pressure of PRESSURES) {
      const count = pressure.of(counters);
      const told = this.#told.get(pressure) ?? { count: 0, look: -QUIET_LOOKS };
      if (count === told.count || this.#looks - told.look < QUIET_LOOKS) continue;
      this.#log.warn({ count: count - told.count }, pressure.message);
      this.#told.set(pressure, { count, look: this.#looks });
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
