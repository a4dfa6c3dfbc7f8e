import { expect, test } from "vitest";
import type { AnnouncerEvent } from "../announcer/announcer-message.ts";
import type { Plan } from "../control/plan.ts";
import { ServiceMoves } from "./service-moves.ts";

const planOf = (services: Readonly<Record<string, readonly string[]>>): Plan =>
  ({
    services: Object.fromEntries(Object.entries(services).map(([name, eligibleNodes]) => [name, { eligibleNodes }])),
  }) as unknown as Plan;
const answers = (previous: string | null, silentMilliseconds: number | null): AnnouncerEvent => ({
  ...{ type: "answers", address: "10.0.5.100", cause: "takeover", previous, silentMilliseconds },
});
const servicesOf = () => ["default/web"];

test("a node that no longer attracts a Service is a move; one that begins to is none", () => {
  const moves = new ServiceMoves("n1");
  moves.planned(null, planOf({ web: ["n1", "n2"] }), 1);
  moves.planned(planOf({ web: ["n1"], api: ["n1"] }), planOf({ web: ["n1", "n2"], api: ["n1"] }), 2);
  expect(moves.byService.size).toBe(0);
  moves.planned(planOf({ web: ["n1", "n2"] }), planOf({ web: ["n1"] }), 3);
  expect([...moves.byService]).toEqual([["web", { time: 3, what: "no longer by n2" }]]);
});

test("an address taken from another node is a move with the time that nobody answered; the first owner is none", () => {
  const moves = new ServiceMoves("n1");
  moves.heard(answers(null, null), servicesOf, 1);
  moves.heard(answers("n1", null), servicesOf, 2);
  expect(moves.byService.size).toBe(0);
  moves.heard(answers("n2", 640), servicesOf, 3);
  expect(moves.byService.get("default/web")).toEqual({
    time: 3,
    what: "10.0.5.100 failed over from n2 to n1 in 0.64 s",
  });
  moves.heard(answers("n2", null), servicesOf, 4);
  expect(moves.byService.get("default/web")!.what).toBe("10.0.5.100 handed over by n2 to n1");
});

test("the last move counts, and goes with its Service", () => {
  const moves = new ServiceMoves("n1");
  moves.planned(planOf({ web: ["n1", "n2"] }), planOf({ web: ["n1"] }), 3);
  moves.planned(planOf({ web: ["n1"] }), planOf({ web: [] }), 4);
  expect(moves.byService.get("web")).toEqual({ time: 4, what: "no longer by n1" });
  moves.planned(planOf({ web: [] }), planOf({}), 5);
  expect(moves.byService.size).toBe(0);
});
