/**
 * What the operator and policies ask of the door besides forwarding: a limit on the new flows of one source, and SYN cookies.
 * XDP reads both out of its settings; policies ask in words of their memory (policy/source-limit.ts, policy/syn-cookies.ts),
 * and are told there what they can't see, for who is refused at the door never comes to them.
 */
import type { Logger } from "pino";
import type { StateMemory } from "../policy/shared-state.ts";
import { fillSourceLimit, SOURCE_LIMIT, SourceLimit } from "../policy/source-limit.ts";
import { fillSynCookies, SYN_COOKIES, SynCookies } from "../policy/syn-cookies.ts";
import { SETTINGS_CHALLENGE, SETTINGS_FLAGS, SETTINGS_SOURCE_INTERVAL } from "../xdp/door-maps.ts";
import type { RunOptions } from "./run-options.ts";

/** What one policy asks for. */
export interface DoorRequest {
  /** New flows of one source in a second, at most; 0 for no limit. */
  readonly sourceLimit: number;
  readonly synCookies: boolean;
}

export interface SynCookiesStatus {
  readonly on: boolean;
  /** `--syn-cookies` and names of policies. */
  readonly askedBy: readonly string[];
  /** Of the last change, ISO 8601. */
  readonly since: string;
}

/** What the door has turned away so far. */
interface TurnedAway {
  /** SYNs that have met SYN cookies. */
  readonly questions: number;
  /** New flows beyond the limit of their source. */
  readonly refused: number;
}

interface AskingPolicy {
  readonly name: string;
  readonly memory: StateMemory;
}

export class DoorRequests {
  readonly #settings: Int32Array;
  readonly #turnedAway: () => TurnedAway;
  readonly #newFlowsPerSource: number;
  readonly #always: readonly string[];
  readonly #log: Logger;
  #told: TurnedAway;
  #synCookies: SynCookiesStatus;

  /**
   * @param settings the words of the door's settings, in which nobody else changes these.
   */
  constructor(
    settings: Int32Array,
    turnedAway: () => TurnedAway,
    { newFlowsPerSource, synCookies }: Pick<RunOptions, "newFlowsPerSource" | "synCookies">,
    log: Logger,
  ) {
    this.#settings = settings;
    this.#turnedAway = turnedAway;
    this.#newFlowsPerSource = newFlowsPerSource ?? 0;
    this.#always = synCookies === true ? ["--syn-cookies"] : [];
    this.#log = log;
    this.#told = turnedAway();
    this.#synCookies = { on: synCookies === true, askedBy: this.#always, since: new Date().toISOString() };
    this.look([]);
  }

  get synCookies(): SynCookiesStatus {
    return this.#synCookies;
  }

  /** Carries out what these policies ask for now, and no other. */
  look(policies: readonly AskingPolicy[]): void {
    const asked = policies.map(({ name, memory }) => ({ name, ...requestOf(memory) }));
    const limits = [this.#newFlowsPerSource, ...asked.map(({ sourceLimit }) => sourceLimit)].filter((one) => one > 0);
    this.#settings[SETTINGS_SOURCE_INTERVAL] = limits.length === 0 ? 0 : Math.ceil(1e9 / Math.min(...limits));
    this.#setCookies([...this.#always, ...asked.filter(({ synCookies }) => synCookies).map(({ name }) => name)]);
    this.#tell(policies);
  }

  #setCookies(askedBy: readonly string[]): void {
    const on = askedBy.length > 0;
    const flags = this.#settings[SETTINGS_FLAGS]!;
    this.#settings[SETTINGS_FLAGS] = on ? flags | SETTINGS_CHALLENGE : flags & ~SETTINGS_CHALLENGE;
    if (on === this.#synCookies.on) {
      this.#synCookies = { ...this.#synCookies, askedBy };
      return;
    }
    this.#synCookies = { on, askedBy, since: new Date().toISOString() };
    if (on) this.#log.warn({ askedBy }, "SYN cookies are on: who has not been here lately must show that he is real");
    else this.#log.info("SYN cookies are off again: nobody asks for them any more");
  }

  #tell(policies: readonly AskingPolicy[]): void {
    const now = this.#turnedAway();
    for (const { memory } of policies) {
      const limit = memory[SOURCE_LIMIT];
      const cookies = memory[SYN_COOKIES];
      if (limit !== undefined) fillSourceLimit(limit, now.refused - this.#told.refused);
      if (cookies !== undefined) fillSynCookies(cookies, this.#synCookies.on, now.questions - this.#told.questions);
    }
    this.#told = now;
  }
}

/** What the memory of a policy says that it asks for. */
export function requestOf(memory: StateMemory): DoorRequest {
  const limit = memory[SOURCE_LIMIT];
  const cookies = memory[SYN_COOKIES];
  return {
    sourceLimit: limit === undefined ? 0 : new SourceLimit(limit).perSecond,
    synCookies: cookies !== undefined && new SynCookies(cookies).wanted,
  };
}
