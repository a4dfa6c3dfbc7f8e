/**
 * Whether the routers of a link answer: each default gateway is asked for its MAC every second. One that has answered and
 * then does not three times is silent: what is answered for here can't be reached from beyond, and a node that still
 * hears it does better. One that never answered says nothing about this node.
 */
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";

const ASK_MILLISECONDS = 1000;
/** Three questions, each of which may wait for the next of five looks a second, and the last one's answer too. */
const SILENT_AFTER_MILLISECONDS = 3400;

export interface Gateway {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
}

interface Watched extends Gateway {
  lastAnswer: number | null;
}

export class GatewayWatch {
  #watched = new Map<string, Watched>();
  #nextAsk = 0;

  set(gateways: readonly Gateway[]): void {
    const before = this.#watched;
    this.#watched = new Map(
      gateways.map((gateway) => {
        const key = keyOf(gateway.interfaceIndex, gateway.address);
        return [key, before.get(key) ?? { ...gateway, lastAnswer: null }];
      }),
    );
  }

  /** When they are to be asked, or one is to be taken for silent; infinity where there are none. */
  next(now: number): number {
    const watched = [...this.#watched.values()];
    if (watched.length === 0) return Number.POSITIVE_INFINITY;
    const silences = watched.map(
      ({ lastAnswer }) => (lastAnswer ?? Number.NEGATIVE_INFINITY) + SILENT_AFTER_MILLISECONDS,
    );
    return Math.min(this.#nextAsk, ...silences.filter((at) => at > now));
  }

  /** Those to ask now. */
  due(now: number): readonly Gateway[] {
    if (now < this.#nextAsk) return [];
    // In step, however seldom this is asked: or three questions would take longer than the silence that they prove.
    this.#nextAsk = Math.max(this.#nextAsk, now - ASK_MILLISECONDS) + ASK_MILLISECONDS;
    return [...this.#watched.values()];
  }

  heard(interfaceIndex: number, address: IpAddress, now: number): void {
    const watched = this.#watched.get(keyOf(interfaceIndex, address));
    if (watched !== undefined) watched.lastAnswer = now;
  }

  /** Who was stopped has heard nobody, and that is not the gateway's fault. */
  forgive(now: number): void {
    for (const watched of this.#watched.values()) if (watched.lastAnswer !== null) watched.lastAnswer = now;
  }

  isSilent(interfaceIndex: number, family: 4 | 6, now: number): boolean {
    const own = [...this.#watched.values()].filter(
      (one) => one.interfaceIndex === interfaceIndex && one.address.family === family && one.lastAnswer !== null,
    );
    return own.length > 0 && own.every(({ lastAnswer }) => now - lastAnswer! > SILENT_AFTER_MILLISECONDS);
  }

  /** The gateways of one interface. */
  of(interfaceIndex: number): readonly IpAddress[] {
    return [...this.#watched.values()]
      .filter((one) => one.interfaceIndex === interfaceIndex)
      .map(({ address }) => address);
  }
}

function keyOf(interfaceIndex: number, address: IpAddress): string {
  return `${interfaceIndex} ${formatIpAddress(address)}`;
}
