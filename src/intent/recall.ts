/**
 * What was made last time, by name, together with what it was made from: as long as that is the very same, so is the result.
 * Whoever makes many things in rounds of which little changes pays for the changes only.
 *
 *     const plan = recall.of(name, [service, pools], () => planOf(service, pools));
 *     recall.endRound();         // what was not asked for in this round is forgotten
 */
interface Entry<Value> {
  readonly inputs: readonly unknown[];
  readonly value: Value;
}

export class Recall<Value> {
  #last = new Map<string, Entry<Value>>();
  #next = new Map<string, Entry<Value>>();

  /** `make` gets the value of last time, whatever it was made from. */
  of(name: string, inputs: readonly unknown[], make: (before: Value | undefined) => Value): Value {
    const known = this.#last.get(name);
    const entry =
      known !== undefined && sameElements(known.inputs, inputs) ? known : { inputs, value: make(known?.value) };
    this.#next.set(name, entry);
    return entry.value;
  }

  endRound(): void {
    this.#last = this.#next;
    this.#next = new Map();
  }
}

/** The very same things in the same order. */
export function sameElements(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

/** The list of before where it has the very same elements, so that whoever compares lists need not look into them. */
export function settled<Element>(before: readonly Element[], now: readonly Element[]): readonly Element[] {
  return sameElements(before, now) ? before : now;
}
