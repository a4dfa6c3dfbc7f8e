/**
 * The flight recorder of one session: its last messages as octets, so that what went wrong can be looked at afterwards.
 * Bounded by octets and by count; the oldest go first.
 */

export interface RecordedMessage {
  readonly atMilliseconds: number;
  readonly direction: "sent" | "received";
  readonly octets: Uint8Array;
}

const MOST_BYTES = 256 * 1024;
const MOST_MESSAGES = 1000;

export class SessionRecorder {
  #messages: RecordedMessage[] = [];
  #bytes = 0;
  #first = 0;

  note(message: RecordedMessage): void {
    // A message of a stream's buffer would keep the whole buffer alive.
    this.#messages.push({ ...message, octets: message.octets.slice() });
    this.#bytes += message.octets.length;
    while (this.#bytes > MOST_BYTES || this.#messages.length - this.#first > MOST_MESSAGES) {
      this.#bytes -= this.#messages[this.#first++]!.octets.length;
    }
    if (this.#first > MOST_MESSAGES) {
      this.#messages = this.#messages.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Oldest first. */
  messages(): readonly RecordedMessage[] {
    return this.#messages.slice(this.#first);
  }
}
