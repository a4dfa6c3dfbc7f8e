/** A document's lab as a suite: a test for each stop, and one that no claim was left out. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DATAPATHS, type DocumentLab, goTo, type LabOptions, type StandingLab } from "./document-lab.ts";
import { Tour } from "./tour.ts";

/** Real daemons, and a machine whose cores others use too. */
const STOP_TIMEOUT_MILLISECONDS = 180_000;

/** Longer runs go through the whole matrix. */
const LONG = process.env["SLUICE_LONG"] === "1";

const MATRIX: readonly LabOptions[] = (["ipv4", "ipv6"] as const).flatMap((family) =>
  (["frr", "bird"] as const).flatMap((router) => DATAPATHS.map((datapath) => ({ family, router, datapath }))),
);

/**
 * With the options given, every combination with SLUICE_LONG=1. Those of all labs together have each family, each router and
 * each datapath at least once.
 */
export function labSuites<Network extends StandingLab>(lab: DocumentLab<Network>, short: readonly LabOptions[]): void {
  for (const options of LONG ? MATRIX : short) labSuite(lab, options);
}

/** Only with SLUICE_LONG=1: it takes minutes, and its figures need a machine of their own. */
export function longLabSuite<Network extends StandingLab>(lab: DocumentLab<Network>, options: LabOptions): void {
  if (LONG) labSuite(lab, options);
  else test(lab.title, ({ skip }) => skip("takes minutes: SLUICE_LONG=1"));
}

function labSuite<Network extends StandingLab>(lab: DocumentLab<Network>, options: LabOptions): void {
  const name = [lab.name, options.family, options.router, options.datapath].filter(Boolean).join(", ");
  describe(name, () => {
    const tour = new Tour((text) => process.stdout.write(text), { commands: false });
    let network: Network;
    beforeAll(async () => {
      network = await lab.build(options);
    }, STOP_TIMEOUT_MILLISECONDS);
    afterAll(() => network?.close());

    for (const stop of lab.stops) {
      // A stop begins where the one before it ended, so it can't be tried again.
      test(stop.title, { timeout: STOP_TIMEOUT_MILLISECONDS, retry: 0 }, async () => {
        const before = tour.rows.length;
        await goTo(stop, tour, network);
        expect(tour.rows.slice(before).filter(({ outcome }) => outcome === "failed")).toEqual([]);
      });
    }
    test("every claim of the document was shown, or said to be open", () => {
      expect([...new Set(tour.rows.map(({ claim }) => claim))].sort()).toEqual([...lab.claims].sort());
    });
  });
}
