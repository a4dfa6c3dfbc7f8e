/** Entry of the speaker's thread: calls from the main thread in, answers and events out. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { PLAIN_PLATFORM, type Platform } from "./platform.ts";
import { SpeakerCore } from "./speaker-core.ts";
import type { SpeakerReply, SpeakerRequest, SpeakerThreadData } from "./speaker-message.ts";

const port = mainThread();

const core = new SpeakerCore(workerData as SpeakerThreadData, await bestPlatform());
const reply = (message: SpeakerReply) => port.postMessage(message);
core.onEvent((event) => reply({ type: "event", event }));

port.on("message", (request: SpeakerRequest) => {
  answer(request).then(
    (value) => reply({ type: "answer", id: request.id, value }),
    (error: unknown) => reply({ type: "failed", id: request.id, message: messageOf(error) }),
  );
});

/** Without the addon the speaker still speaks, but sets no TTL and refuses peers with a password. */
async function bestPlatform(): Promise<Platform> {
  try {
    return (await import("./native-platform.ts")).nativePlatform();
  } catch {
    return PLAIN_PLATFORM;
  }
}

function mainThread(): MessagePort {
  if (parentPort === null) throw new Error("speaker-thread runs as a worker thread only");
  return parentPort;
}

async function answer(request: SpeakerRequest): Promise<unknown> {
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
      await core.stop(request.options);
      // The thread ends by itself once the goodbyes have left and their sockets are closed.
      setImmediate(() => port.close());
      return;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
