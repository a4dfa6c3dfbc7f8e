import type { Logger } from "pino";
import { expect, test } from "vitest";
import { SOURCE_LIMIT, SourceLimit } from "../policy/source-limit.ts";
import { SYN_COOKIES, SynCookies } from "../policy/syn-cookies.ts";
import { SETTINGS_CHALLENGE, SETTINGS_FLAGS, SETTINGS_FORWARD, SETTINGS_SOURCE_INTERVAL } from "../xdp/door-maps.ts";
import { DoorRequests } from "./door-requests.ts";

function asking(name: string) {
  const memory = {
    [SOURCE_LIMIT]: new Int32Array(SourceLimit.words),
    [SYN_COOKIES]: new Int32Array(SynCookies.words),
  };
  return { name, memory, limit: new SourceLimit(memory[SOURCE_LIMIT]!), cookies: new SynCookies(memory[SYN_COOKIES]!) };
}

function door(options: { newFlowsPerSource?: number; synCookies?: boolean } = {}) {
  const settings = new Int32Array(16);
  settings[SETTINGS_FLAGS] = SETTINGS_FORWARD;
  const lines: string[] = [];
  const note = (_: unknown, line?: string) => lines.push(line ?? String(_));
  const count = { questions: 500, refused: 50 };
  const requests = new DoorRequests(settings, () => ({ ...count }), options, {
    warn: note,
    info: note,
  } as unknown as Logger);
  return {
    ...{ requests, lines, count },
    flags: () => settings[SETTINGS_FLAGS],
    interval: () => settings[SETTINGS_SOURCE_INTERVAL],
  };
}

test("SYN cookies are on while any policy asks for them, and each change is one line", () => {
  const { requests, lines, flags } = door();
  const [one, other] = [asking("one"), asking("other")];
  const look = () => requests.look([one, other]);
  look();
  expect(flags()).toBe(SETTINGS_FORWARD);
  expect(one.cookies.state).toBe("off");
  one.cookies.want(true);
  look();
  other.cookies.want(true);
  look();
  expect(flags()).toBe(SETTINGS_FORWARD | SETTINGS_CHALLENGE);
  expect(requests.synCookies).toMatchObject({ on: true, askedBy: ["one", "other"] });
  expect([one.cookies.state, other.cookies.state]).toEqual(["on", "on"]);
  one.cookies.want(false);
  look();
  expect(requests.synCookies).toMatchObject({ on: true, askedBy: ["other"] });
  // It is gone, or switched off.
  requests.look([one]);
  expect(flags()).toBe(SETTINGS_FORWARD);
  expect(requests.synCookies).toMatchObject({ on: false, askedBy: [] });
  expect(lines).toEqual([expect.stringContaining("cookies are on"), expect.stringContaining("off again")]);
});

test("what the operator has asked for no policy takes back", () => {
  const { requests, lines, flags, interval } = door({ newFlowsPerSource: 10, synCookies: true });
  const policy = asking("policy");
  for (const limit of [0, 50, 5, 0]) {
    policy.limit.set(limit);
    policy.cookies.want(limit > 0);
    requests.look([policy]);
    expect(interval()).toBe(limit === 5 ? 200_000_000 : 100_000_000);
    expect(flags()).toBe(SETTINGS_FORWARD | SETTINGS_CHALLENGE);
  }
  expect(requests.synCookies.askedBy).toEqual(["--syn-cookies"]);
  expect(lines).toEqual([]);
});

test("a policy is told what was turned away since it is there, and of nothing earlier", () => {
  const { requests, count } = door();
  const [early, late] = [asking("early"), asking("late")];
  count.questions += 7;
  count.refused += 4;
  requests.look([early]);
  requests.look([early, late]);
  count.questions += 3;
  count.refused += 1;
  requests.look([early, late]);
  expect([early.cookies.questions, late.cookies.questions]).toEqual([10, 3]);
  expect([early.limit.refused, late.limit.refused]).toEqual([5, 1]);
});
