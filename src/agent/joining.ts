/**
 * When a gateway that has just started tells routers of its Services.
 *
 * While it was away the others sent new connections of direct server return to pods of other nodes (`Intent.gateways`). The
 * moment that it announces, routers spread connections anew, and some that a neighbour has begun arrive here, where nobody
 * knows them: they go where Maglev says, which is right when both choose from the same pods. So its routes wait until it is
 * counted among the gateways, and a while longer, in which what was begun by the other choice ends. Not for ever: routes are
 * worth more than a few connections where nobody says who takes part. And not at all after a process that was not drained:
 * routers with graceful restart have kept its routes, and its connections come here.
 */
const SETTLE_MILLISECONDS = 2_000;
const PATIENCE_MILLISECONDS = 15_000;

export class Joining {
  readonly #node: string;
  readonly #onJoined: () => void;
  #state: "new" | "waiting" | "settling" | "joined";
  #timer: NodeJS.Timeout | null = null;

  /**
   * @param mayWait whether routers have no routes of ours just now.
   * @param onJoined is called when waiting is over, unless there was nothing to wait for.
   */
  constructor(node: string, mayWait: boolean, onJoined: () => void) {
    this.#node = node;
    this.#state = mayWait ? "new" : "joined";
    this.#onJoined = onJoined;
  }

  /**
   * Whether the routes wait.
   * @param gateways the nodes whose gateway takes part; `null` when nobody tells. Where none does, there is nobody to wait for.
   */
  waits(gateways: readonly string[] | null): boolean {
    const isCounted = gateways === null || gateways.length === 0 || gateways.includes(this.#node);
    if (this.#state === "new") {
      if (isCounted) this.#state = "joined";
      else this.#wait("waiting", PATIENCE_MILLISECONDS);
    } else if (this.#state === "waiting" && isCounted) {
      this.#wait("settling", SETTLE_MILLISECONDS);
    }
    return this.#state !== "joined";
  }

  close(): void {
    clearTimeout(this.#timer ?? undefined);
  }

  #wait(state: "waiting" | "settling", milliseconds: number): void {
    this.close();
    this.#state = state;
    this.#timer = setTimeout(() => {
      this.#state = "joined";
      this.#onJoined();
    }, milliseconds);
  }
}
