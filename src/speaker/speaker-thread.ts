/** Entry of the speaker's thread: calls from the main thread in, answers and events out. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { bestPlatform, keepSpeaking } from "./best-platform.ts";
import { answerCall, messageOf } from "./speaker-answer.ts";
import { SpeakerCore } from "./speaker-core.ts";
import type { SpeakerReply, SpeakerRequest, SpeakerThreadData } from "./speaker-message.ts";

const port = mainThread();

await keepSpeaking("thread");
const core = new SpeakerCore(workerData as SpeakerThreadData, await bestPlatform());
const reply = (message: SpeakerReply) => port.postMessage(message);
core.onEvent((event) => reply({ type: "event", event }));

port.on("message", (request: SpeakerRequest) => {
  answerCall(core, request).then(
    (value) => {
      reply({ type: "answer", id: request.id, value });
      // The thread ends by itself once the goodbyes have left and their sockets are closed.
      if (request.call === "stop") setImmediate(() => port.close());
    },
    (error: unknown) => reply({ type: "failed", id: request.id, message: messageOf(error) }),
  );
});

function mainThread(): MessagePort {
  if (parentPort === null) throw new Error("speaker-thread runs as a worker thread only");
  return parentPort;
}
