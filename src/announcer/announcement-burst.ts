/**
 * Announcements after a takeover: at once, and again for five seconds, since each may be lost and switches learn late.
 * However many addresses are taken over together, frames leave at a bounded pace, first announcements before repeats.
 */

/** After the takeover, in milliseconds. */
const REPEATS = [0, 100, 300, 1000, 2000, 3000, 4000, 5000];
/** Addresses announced per tick of 100 ms. */
const MOST_PER_TICK = 400;

interface Due {
  readonly at: number;
  readonly vip: string;
  readonly repeat: number;
}

export class AnnouncementBurst {
  #due: Due[] = [];

  begin(vip: string, now: number): void {
    this.end(vip);
    this.#due.push(...REPEATS.map((delay, repeat) => ({ at: now + delay, vip, repeat })));
  }

  end(vip: string): void {
    this.#due = this.#due.filter((one) => one.vip !== vip);
  }

  /** The addresses to announce now. */
  take(now: number): string[] {
    const ready = this.#due.filter(({ at }) => at <= now).sort((a, b) => a.repeat - b.repeat);
    const taken = new Set(ready.slice(0, MOST_PER_TICK));
    if (taken.size > 0) this.#due = this.#due.filter((one) => !taken.has(one));
    return [...taken].map(({ vip }) => vip);
  }
}
