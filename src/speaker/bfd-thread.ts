/** Entry of the thread of BFD: peers to watch in, changes of their state out. */
import { parentPort } from "node:worker_threads";
import type { BfdNews, BfdRequest } from "./bfd-message.ts";
import { BfdSockets } from "./bfd-sockets.ts";
import { WatchedPeer } from "./watched-peer.ts";

const port = parentPort;
if (port === null) throw new Error("bfd-thread runs as a worker thread only");

const peers = new Map<number, WatchedPeer>();
const sockets = new BfdSockets((packet, from) => {
  // §6.8.6: by our discriminator, or before the peer knows it by its address.
  const peer =
    packet.yourDiscriminator === 0
      ? [...peers.values()].find((one) => one.isFrom(from))
      : peers.get(packet.yourDiscriminator);
  peer?.take(packet);
});
const tell = (news: BfdNews) => port.postMessage(news);

port.on("message", (request: BfdRequest) => {
  switch (request.do) {
    case "watch":
      peers.set(request.id, new WatchedPeer(request, sockets, tell));
      return;
    case "unwatch":
      peers.get(request.id)?.stop();
      peers.delete(request.id);
      return;
    case "close":
      for (const peer of peers.values()) peer.stop();
      peers.clear();
      sockets.close();
      port.close();
      return;
  }
});
