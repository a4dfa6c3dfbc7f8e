/**
 * How many ICMP errors and resets a worker may send in a second, so that a flood gets no flood for an answer
 * (RFC 1812 §4.3.2.8, RFC 4443 §2.4 f). The figure is Linux's.
 */

const PER_SECOND = 1000;

export class IcmpLimit {
  #second = 0;
  #sent = 0;

  /** @param now monotonic seconds. @returns whether one more may be sent. */
  take(now: number): boolean {
    if (now !== this.#second) {
      this.#second = now;
      this.#sent = 0;
    }
    return ++this.#sent <= PER_SECOND;
  }
}
