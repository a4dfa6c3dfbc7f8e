/**
 * Regular expressions as Go's `regexp` reads them (RE2), told in JavaScript's syntax. What RE2 does not have, look-around
 * and back-references, is refused as it refuses them, so that a manifest means the same here as there.
 */

type GoExpression = { readonly expression: string } | { readonly fault: string };

const CLASSES: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: "\\x00-\\x7F",
  blank: "\\t ",
  cntrl: "\\x00-\\x1F\\x7F",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\t\\n\\v\\f\\r ",
  upper: "A-Z",
  word: "0-9A-Za-z_",
  xdigit: "0-9A-Fa-f",
};

/** RE2 takes no more repetitions than this. */
const MOST_REPETITIONS = 1000;

export function goExpression(text: string): GoExpression {
  try {
    const expression = new Translation(text).whole();
    new RegExp(expression, "v");
    return { expression };
  } catch (error) {
    const reason = error instanceof Refusal ? error.message : "invalid syntax";
    return { fault: `error parsing regexp: ${reason}: \`${text}\`` };
  }
}

class Refusal extends Error {}

class Translation {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): string {
    let out = "";
    while (this.#at < this.#text.length) out += this.#next();
    return out;
  }

  #next(): string {
    const rest = this.#text.slice(this.#at);
    const char = rest[0]!;
    if (char === "\\") return this.#escape(rest);
    if (char === "[") return this.#set(rest);
    if (char === "(") return this.#group(rest);
    const repetition = /^\{(\d+)(?:(,)(\d*))?\}/.exec(rest);
    if (repetition !== null) {
      const [most = 0] = [repetition[3] || repetition[1]].map(Number);
      if (Number(repetition[1]) > MOST_REPETITIONS || most > MOST_REPETITIONS) {
        throw new Refusal("invalid repeat count");
      }
      return this.#take(repetition[0]);
    }
    this.#at++;
    // A brace that repeats nothing is a letter to RE2.
    return "{}]".includes(char) ? `\\${char}` : char;
  }

  #group(rest: string): string {
    const named = /^\(\?P?<([A-Za-z_]\w*)>/.exec(rest);
    if (named !== null) return this.#take(named[0], "(");
    if (/^\(\?(?:=|!|<=|<!)/.test(rest)) throw new Refusal("invalid or unsupported Perl syntax (look-around)");
    const flagged = /^\(\?([imsU]*)(?:-([imsU]+))?([:)])/.exec(rest);
    if (flagged !== null) {
      const [whole, on = "", off = "", end] = flagged;
      if (on.includes("U") || off.includes("U")) throw new Refusal("the flag U is not supported");
      if (end === ":") return this.#take(whole, on === "" && off === "" ? "(?:" : `(?${on}${off && `-${off}`}:`);
      if (this.#at !== 0 || off !== "") throw new Refusal("flags are supported at the start or for a group: (?i:…)");
      // Flags for all that follows: a group around it.
      this.#at += whole.length;
      return on === "" ? this.whole() : `(?${on}:${this.whole()})`;
    }
    if (rest.startsWith("(?")) throw new Refusal("invalid or unsupported Perl syntax");
    return this.#take("(");
  }

  #escape(rest: string): string {
    const next = rest[1];
    if (next === undefined) throw new Refusal("trailing backslash at end of expression");
    if (next === "A") return this.#take("\\A", "(?<![^])");
    if (next === "z") return this.#take("\\z", "(?![^])");
    if (next === "Q") {
      const end = rest.indexOf("\\E");
      const quoted = rest.slice(2, end < 0 ? undefined : end);
      this.#at += end < 0 ? rest.length : end + 2;
      return quoted.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
    }
    if (next === "a") return this.#take("\\a", "\\x07");
    const hex = /^\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(rest);
    if (hex !== null) return this.#take(hex[0], `\\u{${hex[1] ?? hex[2]}}`);
    const property = /^\\([pP])(?:([A-Z])|\{(\^?)(\w+)\})/.exec(rest);
    if (property !== null) return this.#take(property[0], propertyOf(property));
    if (/[1-9]/.test(next)) throw new Refusal(`invalid escape sequence (back-reference): \`\\${next}\``);
    if ("dDsSwWbBfnrtv".includes(next)) return this.#take(`\\${next}`);
    if (/[A-Za-z0-9]/.test(next)) throw new Refusal(`invalid escape sequence: \`\\${next}\``);
    return this.#take(`\\${next}`, literal(next));
  }

  #set(rest: string): string {
    const opening = /^\[\^?/.exec(rest)![0];
    this.#at += opening.length;
    let out = opening;
    for (let first = true; ; first = false) {
      const inside = this.#text.slice(this.#at);
      if (inside === "") throw new Refusal("missing closing ]");
      const named = /^\[:(\^?)(\w+):\]/.exec(inside);
      if (named !== null) {
        const members = CLASSES[named[2]!];
        if (members === undefined) throw new Refusal(`invalid character class range: \`${named[0]}\``);
        out += this.#take(named[0], named[1] === "" ? members : `[^${members}]`);
      } else if (inside[0] === "]" && !first) {
        this.#at++;
        return `${out}]`;
      } else if (inside[0] === "\\") out += this.#escape(inside);
      else if (inside[0] === "-") out += this.#take("-", first || inside[1] === "]" ? "\\-" : "-");
      else out += this.#take(inside[0]!, literal(inside[0]!));
    }
  }

  #take(text: string, out = text): string {
    this.#at += text.length;
    return out;
  }
}

function propertyOf([, letter, short, negated, long]: RegExpExecArray): string {
  const isNegated = (letter === "P") !== (negated === "^");
  const name = short ?? long!;
  return `\\${isNegated ? "P" : "p"}{${name.length > 2 ? `Script=${name}` : name}}`;
}

/** One character that stands for itself, in a set or outside of one. */
function literal(char: string): string {
  return /[\w\s]/.test(char) || char.codePointAt(0)! > 127
    ? char
    : `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
