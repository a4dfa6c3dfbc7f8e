/**
 * Announcements after a takeover: at once, and again for five seconds, since each may be lost and switches learn late.
 * However many addresses are taken over together, frames leave at a bounded pace, first announcements before repeats.
 */

/** After the takeover, in milliseconds. */
const REPEATS = [0, 100, 300, 1000, 2000, 3000, 4000, 5000];
/** So many addresses are announced in each of these spans at most. */
const MOST = 400;
const SPAN_MILLISECONDS = 100;

interface Due {
  readonly at: number;
  readonly vip: string;
  readonly repeat: number;
}

export class AnnouncementBurst {
  #due: Due[] = [];
  #spanBegan = Number.NEGATIVE_INFINITY;
  #taken = 0;

  /** When there is something to announce; infinity for never. */
  get next(): number {
    const earliest = this.#due.reduce((at, one) => Math.min(at, one.at), Number.POSITIVE_INFINITY);
    return this.#taken < MOST ? earliest : Math.max(earliest, this.#spanBegan + SPAN_MILLISECONDS);
  }

  begin(vip: string, now: number): void {
    this.end(vip);
    this.#due.push(...REPEATS.map((delay, repeat) => ({ at: now + delay, vip, repeat })));
  }

  end(vip: string): void {
    this.#due = this.#due.filter((one) => one.vip !== vip);
  }

  /** The addresses to announce now. */
  take(now: number): string[] {
    if (now - this.#spanBegan >= SPAN_MILLISECONDS) {
      this.#spanBegan = now;
      this.#taken = 0;
    }
    const ready = this.#due.filter(({ at }) => at <= now).sort((a, b) => a.repeat - b.repeat);
    const taken = new Set(ready.slice(0, MOST - this.#taken));
    this.#taken += taken.size;
    if (taken.size > 0) this.#due = this.#due.filter((one) => !taken.has(one));
    return [...taken].map(({ vip }) => vip);
  }
}
