/** One BFD session on its thread: the pure state machine joined to a socket and to timers. */
import { type BfdConfig, type BfdEvent, type BfdSession, newBfdSession, stepBfd } from "../bfd/bfd-session.ts";
import type { ControlPacket } from "../bfd/control-packet.ts";
import { encodeControlPacket } from "../bfd/control-packet.ts";
import { BFD_STATES } from "../bgp/speaker-spec.ts";
import type { BfdNews } from "./bfd-message.ts";
import type { BfdSender, BfdSockets, PacketSource } from "./bfd-sockets.ts";
import type { BfdQuestion } from "./platform.ts";

type Timer = "transmit" | "detection";

export class WatchedPeer {
  readonly #id: number;
  readonly #question: BfdQuestion;
  readonly #config: BfdConfig;
  readonly #tell: (news: BfdNews) => void;
  readonly #timers = new Map<Timer, NodeJS.Timeout>();
  #session: BfdSession;
  #sender: BfdSender | null = null;
  #stopped = false;

  /** @param id is also our discriminator. */
  constructor(question: BfdQuestion & { readonly id: number }, sockets: BfdSockets, tell: (news: BfdNews) => void) {
    const { spec } = question;
    this.#id = question.id;
    this.#question = question;
    this.#tell = tell;
    this.#session = newBfdSession(question.id);
    this.#config = {
      transmitMilliseconds: spec.transmitMilliseconds,
      receiveMilliseconds: spec.receiveMilliseconds,
      multiplier: spec.multiplier,
      passive: spec.passive ?? false,
    };
    sockets.open(question).then(
      (sender) => this.#begin(sender),
      (error: Error) => tell({ id: this.#id, state: "AdminDown", words: error.message }),
    );
  }

  isFrom({ address, multihop }: PacketSource): boolean {
    return address === this.#question.remoteAddress && multihop === (this.#question.spec.minimumTtl != null);
  }

  take(packet: ControlPacket): void {
    this.#handle({ type: "packet", packet });
  }

  stop(): void {
    this.#handle({ type: "stop" });
    this.#stopped = true;
    this.#sender?.close();
    this.#sender = null;
  }

  #begin(sender: BfdSender): void {
    if (this.#stopped) {
      sender.close();
      return;
    }
    this.#sender = sender;
    this.#handle({ type: "start" });
  }

  #handle(event: BfdEvent): void {
    if (this.#stopped) return;
    const { session, effects } = stepBfd(this.#session, this.#config, event, Math.random());
    this.#session = session;
    for (const effect of effects) {
      if (effect.do === "send") this.#sender?.send(encodeControlPacket(effect.packet));
      else if (effect.do === "changed") {
        this.#tell({ id: this.#id, state: BFD_STATES[effect.state], words: effect.words });
      } else {
        clearTimeout(this.#timers.get(effect.timer));
        if (effect.do === "arm") this.#arm(effect.timer, effect.milliseconds);
      }
    }
  }

  #arm(timer: Timer, milliseconds: number): void {
    const event: BfdEvent = timer === "transmit" ? { type: "transmit-due" } : { type: "detection-expired" };
    this.#timers.set(
      timer,
      setTimeout(() => this.#handle(event), milliseconds),
    );
  }
}
