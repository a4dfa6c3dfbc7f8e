/** One request to a speaker, answered: the same for the thread and for the process of its own. */
import type { SpeakerCore } from "./speaker-core.ts";
import type { SpeakerCall } from "./speaker-message.ts";

export async function answerCall(core: SpeakerCore, request: SpeakerCall): Promise<unknown> {
  switch (request.call) {
    case "apply":
      return core.apply(request.spec);
    case "status":
      return core.status();
    case "advertised":
      return core.advertised(request.peerName);
    case "received":
      return core.received(request.peerName, request.most);
    case "explain":
      return core.explain(request.prefix, request.peerName);
    case "refresh":
      return core.refresh(request.peerName);
    case "capture":
      return core.capture(request.peerName);
    case "stop":
      return core.stop(request.options);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
