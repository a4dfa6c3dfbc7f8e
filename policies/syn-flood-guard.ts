/**
 * Lets few strangers in while a flood lasts. A flood is when more flows begin in a second than are usual; it is over when
 * that has not been so for a while. Meanwhile the kernel asks clients for SYN cookies and limits what each source opens, and
 * clients that are not known share a budget; known is who has had a whole connection before, so spoofed sources never are.
 *
 * Budget, limit and cookies end each for itself. The budget costs strangers most, so it is only there while so many flows
 * begin; the others stay for as long as they keep so many from beginning. Flows that are open are never slowed down: they
 * are found before anybody is asked.
 */
import { Continue, definePolicy } from "sluice/policy";

interface Options {
  readonly newFlowsPerSecond: number;
  readonly synCookies: boolean;
  readonly perSource: number;
  readonly strangersPerSecond: number;
  readonly calmSeconds: number;
  readonly clients: number;
}

/** A handshake and something more. */
const WHOLE_CONNECTION_PACKETS = 4;

export default definePolicy<Options>({
  version: "2",
  options: {
    type: "object",
    additionalProperties: false,
    required: ["newFlowsPerSecond"],
    properties: {
      newFlowsPerSecond: { type: "integer", minimum: 1, description: "More than so many on this node are a flood." },
      synCookies: { type: "boolean", default: true, description: "Whether clients are asked for SYN cookies then." },
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
    const cookies = state.synCookies();
    const sharing = untilCalm(calmSeconds);
    const limiting = untilCalm(calmSeconds);
    const asking = untilCalm(calmSeconds);
    // In the middle of a flood, when the module is loaded anew.
    let isShared = limit.perSecond > 0;
    let begunBefore = begun.value;
    let refusedBefore = limit.refused;
    let questionsBefore = cookies.questions;
    let lastTick = 0;
    return {
      onNewFlow(flow) {
        begun.add(1);
        if (!isShared || known.find(flow.client) >= 0) return Continue;
        return strangers.take(flow.vip) ? Continue : flow.deny("a flood, and the client is not known");
      },
      onTick(milliseconds) {
        // The first tick only begins to count.
        const most = lastTick === 0 ? Number.POSITIVE_INFINITY : (newFlowsPerSecond * (milliseconds - lastTick)) / 1000;
        const isFlood = begun.value - begunBefore > most;
        const isRefused = limit.refused - refusedBefore > most;
        const isAsked = cookies.questions - questionsBefore > most;
        begunBefore = begun.value;
        refusedBefore = limit.refused;
        questionsBefore = cookies.questions;
        lastTick = milliseconds;
        isShared = sharing(milliseconds, isFlood, isShared);
        // The operator's own limit refuses too, which alone is no flood yet.
        const isLimited = limit.perSecond > 0;
        limit.set(limiting(milliseconds, isFlood || (isLimited && isRefused), isLimited) ? perSource : 0);
        cookies.want(asking(milliseconds, isFlood || isAsked, cookies.wanted) && options.synCookies);
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

/**
 * Whether a defence is up after each tick: at once when it is needed, and until it has not been for so long. Each worker has
 * its own ticks, so one may find up what it has not seen the need of; then it waits for as long.
 */
function untilCalm(seconds: number): (milliseconds: number, isNeeded: boolean, isUp: boolean) => boolean {
  let lastNeeded = 0;
  let wasUp = false;
  return (milliseconds, isNeeded, isUp) => {
    if (isNeeded || (isUp && !wasUp)) lastNeeded = milliseconds;
    wasUp = isNeeded || (isUp && milliseconds - lastNeeded <= seconds * 1000);
    return wasUp;
  };
}
