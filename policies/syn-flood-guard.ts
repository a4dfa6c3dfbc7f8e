/**
 * Lets few strangers in while a flood lasts. A flood is when more flows begin in a second than are usual; it is over when
 * that has not been so for a while. Meanwhile the kernel limits what each source opens, and clients that are not known
 * share a budget; known is who has had a whole connection before, so spoofed sources never are.
 *
 * Flows that are open are never slowed down: they are found before anybody is asked.
 */
import { Continue, definePolicy } from "sluice/policy";

interface Options {
  readonly newFlowsPerSecond: number;
  readonly perSource: number;
  readonly strangersPerSecond: number;
  readonly calmSeconds: number;
  readonly clients: number;
}

/** A handshake and something more. */
const WHOLE_CONNECTION_PACKETS = 4;

export default definePolicy<Options>({
  version: "1",
  options: {
    type: "object",
    additionalProperties: false,
    required: ["newFlowsPerSecond"],
    properties: {
      newFlowsPerSecond: { type: "integer", minimum: 1, description: "More than so many on this node are a flood." },
      perSource: { type: "integer", minimum: 1, default: 20, description: "New flows of one source in a second then." },
      strangersPerSecond: {
        type: "integer",
        minimum: 1,
        default: 500,
        description: "New flows of all unknown clients together then, for each VIP.",
      },
      calmSeconds: { type: "integer", minimum: 1, default: 10, description: "So long without a flood ends it." },
      clients: { type: "integer", minimum: 8, default: 65536, description: "So many known clients are remembered." },
    },
  },
  create({ options, state }) {
    const { newFlowsPerSecond, perSource, strangersPerSecond, calmSeconds, clients } = options;
    const begun = state.counter("begun");
    const known = state.clients("known", { clients, words: 1 });
    const strangers = state.tokenBuckets("strangers", {
      clients: 1024,
      perSecond: strangersPerSecond,
      burst: strangersPerSecond,
    });
    const limit = state.sourceLimit();
    let before = begun.value;
    let lastTick = 0;
    let lastFlood = 0;
    return {
      onNewFlow(flow) {
        begun.add(1);
        if (limit.perSecond === 0 || known.find(flow.client) >= 0) return Continue;
        return strangers.take(flow.vip) ? Continue : flow.deny("a flood, and the client is not known");
      },
      onTick(milliseconds) {
        const seconds = (milliseconds - lastTick) / 1000;
        // The first tick only begins to count.
        const rate = lastTick === 0 ? 0 : (begun.value - before) / seconds;
        before = begun.value;
        lastTick = milliseconds;
        if (rate > newFlowsPerSecond) {
          lastFlood = milliseconds;
          limit.set(perSource);
        } else if (limit.perSecond > 0 && milliseconds - lastFlood > calmSeconds * 1000) {
          limit.set(0);
        }
      },
      onFlowEnd(flow) {
        if (flow.reason === "closed" && flow.requestPackets >= WHOLE_CONNECTION_PACKETS) {
          known.enter(flow.client);
          known.leave();
        }
      },
    };
  },
});
