/**
 * The state of one policy over memory that crosses threads: made by the first `create` of a module (in the probe), found
 * again by name in every worker and when the module is loaded anew.
 */
import { type IpPrefix, parseIpPrefix } from "../net/ip-address.ts";
import { ClientTable } from "./client-table.ts";
import { Counter } from "./counter.ts";
import type { PolicyState } from "./define-policy.ts";
import { PrefixSet, prefixSetMemory } from "./prefix-set.ts";
import { SOURCE_LIMIT, SourceLimit } from "./source-limit.ts";
import { SYN_COOKIES, SynCookies } from "./syn-cookies.ts";
import { TokenBuckets } from "./token-buckets.ts";

/** By kind and name: `tokens per-source`. */
export type StateMemory = Readonly<Record<string, Int32Array>>;

/** A module's state may take this much. */
const MAX_BYTES = 256 * 1024 * 1024;

/** Gives the text of a file that a prefix set is read from. */
export type ReadFile = (path: string) => string;

export class SharedState implements PolicyState {
  readonly #clock: Float64Array;
  readonly #memory: Record<string, Int32Array> = {};
  readonly #known: StateMemory;
  readonly #readFile: ReadFile | null;
  readonly #files = new Set<string>();
  #bytes = 0;

  /**
   * @param clock nanoseconds of the monotonic clock, in its first element.
   * @param known what there is already.
   * @param readFile where missing memory may be made; `null` in a worker, where everything is known.
   */
  constructor(clock: Float64Array, known: StateMemory, readFile: ReadFile | null) {
    this.#clock = clock;
    this.#known = known;
    this.#readFile = readFile;
  }

  /** All that was asked for. */
  get memory(): StateMemory {
    return this.#memory;
  }

  /** The files that it was read from: to be read again when one changes. */
  get files(): readonly string[] {
    return [...this.#files];
  }

  counter(name: string): Counter {
    return new Counter(this.#words(`counter ${name}`, Counter.words));
  }

  tokenBuckets(name: string, options: { clients: number; perSecond: number; burst: number }): TokenBuckets {
    const { clients, perSecond, burst } = options;
    requireNumber(name, "clients", clients, 1, 1 << 24);
    requireNumber(name, "perSecond", perSecond, 0, 1e6);
    requireNumber(name, "burst", burst, 1, 2e6);
    const words = this.#words(`tokens ${name}`, TokenBuckets.memoryWords(clients));
    return new TokenBuckets(words, perSecond, burst, this.#clock);
  }

  clients(name: string, { clients, words }: { clients: number; words: number }): ClientTable {
    requireNumber(name, "clients", clients, 1, 1 << 24);
    requireNumber(name, "words", words, 1, 64);
    return new ClientTable(this.#words(`clients ${name}`, ClientTable.memoryWords(clients, words)), words);
  }

  sourceLimit(): SourceLimit {
    return new SourceLimit(this.#words(SOURCE_LIMIT, SourceLimit.words));
  }

  synCookies(): SynCookies {
    return new SynCookies(this.#words(SYN_COOKIES, SynCookies.words));
  }

  prefixes(name: string, { prefixes = [], file }: { prefixes?: readonly string[]; file?: string }): PrefixSet {
    const key = `prefixes ${name}`;
    const readFile = this.#readFile;
    if (readFile === null) return new PrefixSet(this.#words(key, -1));
    if (file !== undefined) this.#files.add(file);
    const lines = file === undefined ? [] : prefixLines(file, readFile(file));
    const words = prefixSetMemory([...prefixes.map((text) => parsePrefix(text, name)), ...lines]);
    this.#take(key, words);
    return new PrefixSet(words);
  }

  /** @param words how many; -1 for whatever there is. */
  #words(key: string, words: number): Int32Array {
    const known = this.#known[key];
    if (known !== undefined && (words < 0 || known.length === words)) return this.#take(key, known);
    if (this.#readFile === null) {
      throw new Error(
        `the state "${key}" was not there when the module was tried: ask for all state in create(), always`,
      );
    }
    return this.#take(key, new Int32Array(new SharedArrayBuffer(this.#allow(key, words * 4))));
  }

  #take(key: string, words: Int32Array): Int32Array {
    if (Object.hasOwn(this.#memory, key))
      throw new Error(`the state "${key}" is asked for twice; give it another name`);
    this.#bytes += words.byteLength;
    this.#allow(key, 0);
    this.#memory[key] = words;
    return words;
  }

  #allow(key: string, bytes: number): number {
    if (this.#bytes + bytes <= MAX_BYTES) return bytes;
    throw new RangeError(`the state "${key}" would be more than ${MAX_BYTES >> 20} MiB together with what is there`);
  }
}

function prefixLines(file: string, text: string): IpPrefix[] {
  return text.split("\n").flatMap((line, index) => {
    const prefix = line.replace(/#.*/, "").trim();
    return prefix === "" ? [] : [parsePrefix(prefix, `${file}:${index + 1}`)];
  });
}

function parsePrefix(text: string, where: string): IpPrefix {
  const prefix = parseIpPrefix(text);
  if (prefix !== null) return prefix;
  throw new Error(`${where}: ${JSON.stringify(text)} is no prefix; write it like 192.0.2.0/24 or 2001:db8::/32`);
}

function requireNumber(name: string, what: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  throw new RangeError(`${what} of the state "${name}" must be between ${least} and ${most}; is ${value}`);
}
