/** What the gateway sends, kept as state: the newest overview, a minute of rates, the timeline, and whether it still sends. */
import { useEffect, useReducer } from "preact/hooks";
import type { Overview } from "../src/agent/overview.ts";
import type { TimelineEntry } from "../src/agent/timeline.ts";
import type { FleetStatus } from "../src/fleet/fleet.ts";
import { type FleetRates, fleetRates } from "./fleet-rates.ts";
import { type Rates, ratesBetween } from "./rates.ts";

/** Points of a chart: two minutes. */
const MOST_POINTS = 120;
const MOST_ENTRIES = 300;

export interface Point {
  /** Seconds since 1970. */
  readonly time: number;
  readonly rates: Rates;
}

export interface Live {
  readonly connected: boolean;
  readonly overview: Overview | null;
  readonly rates: Rates | null;
  readonly points: readonly Point[];
  readonly fleet: FleetStatus | null;
  readonly fleetRates: FleetRates | null;
  /** Newest first. */
  readonly timeline: readonly TimelineEntry[];
}

type News =
  | { readonly kind: "overview"; readonly overview: Overview }
  | { readonly kind: "fleet"; readonly fleet: FleetStatus }
  | { readonly kind: "entry"; readonly entry: TimelineEntry }
  | { readonly kind: "connected"; readonly connected: boolean };

const NOTHING: Live = {
  ...{ connected: false, overview: null, rates: null, points: [] },
  ...{ fleet: null, fleetRates: null, timeline: [] },
};

export function useLive(): Live {
  const [live, dispatch] = useReducer(withNews, NOTHING);
  useEffect(() => {
    const source = new EventSource("v1/watch");
    source.onopen = () => dispatch({ kind: "connected", connected: true });
    // The browser tries again by itself.
    source.onerror = () => dispatch({ kind: "connected", connected: false });
    source.addEventListener("overview", ({ data }) =>
      dispatch({ kind: "overview", overview: JSON.parse(data) as Overview }),
    );
    source.addEventListener("fleet", ({ data }) => dispatch({ kind: "fleet", fleet: JSON.parse(data) as FleetStatus }));
    source.addEventListener("timeline", ({ data }) =>
      dispatch({ kind: "entry", entry: JSON.parse(data) as TimelineEntry }),
    );
    return () => source.close();
  }, []);
  return live;
}

export function withNews(live: Live, news: News): Live {
  switch (news.kind) {
    case "connected":
      // What is kept is told anew at the beginning.
      return { ...live, connected: news.connected, timeline: news.connected ? [] : live.timeline };
    case "entry":
      return { ...live, timeline: [news.entry, ...live.timeline].slice(0, MOST_ENTRIES) };
    case "fleet": {
      const { fleet } = news;
      return { ...live, fleet, fleetRates: live.fleet === null ? null : fleetRates(live.fleet, fleet) };
    }
    case "overview": {
      const { overview } = news;
      const rates = live.overview === null ? null : ratesBetween(live.overview, overview);
      const point = rates === null ? [] : [{ time: overview.time / 1000, rates }];
      return { ...live, overview, rates, points: [...live.points, ...point].slice(-MOST_POINTS) };
    }
  }
}
