/** Entry of the announcer's thread: what is to be answered for in, events and answers out. */
import { parentPort, workerData } from "node:worker_threads";
import type { AnnouncerNews, AnnouncerRequest, AnnouncerSetup } from "./announcer-message.ts";
import { AnnouncingNode } from "./announcing-node.ts";
import { ownersStatus } from "./owners-status.ts";
import { whoAnswers } from "./who-answers.ts";

const port = parentPort;
if (port === null) throw new Error("announcer-thread runs as a worker thread only");

/** Longer than the handovers of a drain take, where anybody is there to take over. */
const DRAIN_MILLISECONDS = 1500;
const LOOK_MILLISECONDS = 10;

const tell = (news: AnnouncerNews) => port.postMessage(news);
const setup = workerData as AnnouncerSetup;
const node = new AnnouncingNode(setup, (event) => tell({ tell: "event", event }));
node.start();

port.on("message", (request: AnnouncerRequest) => {
  switch (request.do) {
    case "apply":
      node.apply(request.spec);
      tell({ tell: "answer", id: request.id, value: null });
      return;
    case "busy":
      node.step({ type: "busy", vips: new Set(request.addresses) });
      return;
    case "move":
      node.step({ type: "move", vip: request.address, to: request.to });
      tell({ tell: "answer", id: request.id, value: null });
      return;
    case "owners":
      tell({ tell: "answer", id: request.id, value: ownersStatus(node, setup.node) });
      return;
    case "who":
      void whoAnswers(node, request.address).then((value) => tell({ tell: "answer", id: request.id, value }));
      return;
    case "drain":
      void drain(request.on).then(() => tell({ tell: "answer", id: request.id, value: null }));
      return;
    case "close":
      node.close();
      tell({ tell: "answer", id: request.id, value: null });
      port.close();
      return;
  }
});
tell({ tell: "answer", id: 0, value: null });

async function drain(on: boolean): Promise<void> {
  node.step({ type: "drain", on });
  const end = performance.now() + DRAIN_MILLISECONDS;
  while (on && !node.agreement.isEmpty && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS));
  }
}
