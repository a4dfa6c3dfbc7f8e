import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DrainReport } from "../agent/status.ts";
import { ApiServer, type ApiSource } from "../api/server.ts";
import { drainLine, runDrain } from "./drain.ts";

const MARKED: DrainReport = { state: "marked", secondsLeft: 3, routesAnnounced: 2, sessions: 1, flows: 4 };
let folder: string;
let api: ApiServer;
let graces: number[];
let reports: DrainReport[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-drain-"));
  graces = [];
  api = new ApiServer({
    drain: async (grace: number) => void graces.push(grace),
    undrain: async () => {},
    drainProgress: async () => (reports.length > 1 ? reports.shift() : reports[0]),
  } as unknown as ApiSource);
  await api.listenUnix(join(folder, "api.sock"));
});

afterEach(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

const options = (more = {}) => ({
  socket: join(folder, "api.sock"),
  graceSeconds: 3,
  flows: false,
  timeoutSeconds: 5,
  output: "table" as const,
  ...more,
});

test("says how far it is until no router has a route", async () => {
  reports = [MARKED, MARKED, { ...MARKED, state: "withdrawn", secondsLeft: 0, routesAnnounced: 0 }];
  const printed: string[] = [];
  await runDrain(options(), (text) => printed.push(text));
  expect(graces).toEqual([3]);
  expect(printed).toEqual([
    "marked, withdrawn in 3 s: 2 routes over 1 session, 4 flows left\n",
    "withdrawn: 0 routes over 1 session, 4 flows left\n",
  ]);
});

test("waits for the flows when asked to, and says what was left when time is over", async () => {
  reports = [{ ...MARKED, state: "withdrawn", routesAnnounced: 0 }];
  await expect(runDrain(options({ flows: true, timeoutSeconds: 0.1 }), () => {})).rejects.toThrow(
    "not drained after 0.1 s: withdrawn: 0 routes over 1 session, 4 flows left",
  );
});

test("a grace time out of range is refused in words", async () => {
  reports = [MARKED];
  await expect(runDrain(options({ graceSeconds: 9999 }), () => {})).rejects.toThrow("grace: seconds from 0 to 3600");
});

test("one is said as one", () => {
  expect(drainLine({ ...MARKED, routesAnnounced: 1, flows: 1 })).toContain("1 route over 1 session, 1 flow left");
});
